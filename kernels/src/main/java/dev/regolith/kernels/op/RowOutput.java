package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One result of a row operator: where rows are stored, and their seals. The seals of a unit are
 * made before its rows are verified, and become the tensor's after that, so that nothing lies
 * between what was verified and what is sealed.
 */
final class RowOutput implements AutoCloseable {
  private final Backend backend;
  private final Output output;

  /** What an output is stored by is told to products; rows are stored in the same way. */
  private final GemmProblem place = new GemmProblem();

  private boolean present;

  RowOutput(Backend backend, Scrubber scrubber, boolean verify) {
    this.backend = backend;
    this.output = new Output("rows", backend, scrubber, verify);
  }

  /** Takes up a tensor. */
  void open(Tensor tensor) {
    present = true;
    output.open(tensor.storage(), tensor.range(), false, place);
  }

  boolean isPresent() {
    return present;
  }

  MemorySegment memory() {
    return present ? place.c : MemorySegment.NULL;
  }

  /** First byte of a row. */
  long at(long matrix, long row) {
    return place.cRow(matrix, row);
  }

  /** Works out the seals of a unit. */
  void seal(long unit, long[] sums, int at, long[] found, Workspace workspace) {
    SealGrid grid = place.cSeals;
    if (present && grid != null) {
      int across = across(grid);
      for (int i = 0; i < across; i++) {
        backend.scan(place.c, grid, unit * across + i, found, workspace);
        System.arraycopy(found, 0, sums, at + Seal.SUMS * i, Seal.SUMS);
      }
    }
  }

  /** Makes them the tensor's. */
  void publish(long unit, long[] sums, int at) {
    SealGrid grid = place.cSeals;
    if (present && grid != null) {
      int length = Seal.SUMS * across(grid);
      System.arraycopy(sums, at, grid.sums(), (int) (unit * length), length);
    }
  }

  private static int across(SealGrid grid) {
    return (int) CheckBlock.across(grid.range().columns());
  }

  /** Shows stored rows to a campaign. */
  void probe(long matrix, long row, long rows, int columns) {
    if (present) {
      Probe.reach(
          ProbePoint.ROW_STORED, place.c, at(matrix, row), rows, 4L * columns, place.cStride);
    }
  }

  /** Whether a row holds the bits of another; any NaN equals any NaN. */
  boolean holds(long matrix, long row, MemorySegment other, long otherAt, int columns) {
    long at = at(matrix, row);
    long bytes = 4L * columns;
    return MemorySegment.mismatch(place.c, at, at + bytes, other, otherAt, otherAt + bytes) < 0
        || holdsNumbers(at, other, otherAt, columns);
  }

  private boolean holdsNumbers(long at, MemorySegment other, long otherAt, int columns) {
    for (int j = 0; j < columns; j++) {
      float x = place.c.get(ValueLayout.JAVA_FLOAT, at + 4L * j);
      float y = other.get(ValueLayout.JAVA_FLOAT, otherAt + 4L * j);
      // floatToIntBits, not Raw: one pattern for all NaN
      if (Float.floatToIntBits(x) != Float.floatToIntBits(y)) {
        return false;
      }
    }
    return true;
  }

  /** Fills a row with NaN. */
  void poison(long matrix, long row, int columns) {
    for (int j = 0; present && j < columns; j++) {
      place.c.set(ValueLayout.JAVA_FLOAT, at(matrix, row) + 4L * j, Float.NaN);
    }
  }

  /** Brings the result to where it was asked for, and puts seals in force. */
  Status close(boolean computed, boolean good, long[] found, Workspace workspace) {
    if (!present) {
      return Status.CLEAN;
    }
    present = false;
    output.close(place, computed, good, found, workspace);
    return output.found();
  }

  /** Lets go of the caller's memory. */
  void forget() {
    present = false;
    place.c = MemorySegment.NULL;
    output.forget();
  }

  @Override
  public void close() {
    output.close();
  }
}
