package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.RowView;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.guard.RowGuard;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One input of a row operator, a row of check blocks ("unit") at a time: read where it lies, if it
 * is native with unit stride, or from a row-major copy; always from a copy, if the result is going
 * to lie there and must be verified. Every unit has seals, its producer's or of the call, that are
 * held against the words that were read after their last use.
 */
final class RowInput implements AutoCloseable {
  private static final Range NONE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final Component component;
  private final Backend backend;
  private final boolean verify;
  private final Scratch scratch = new Scratch();
  private final CallSeals sourceSeals = new CallSeals();
  private final CallSeals copySeals = new CallSeals();
  private MemorySegment source = MemorySegment.NULL;
  private MemorySegment read = MemorySegment.NULL;
  private Range range = NONE;
  private Range readRange = NONE;
  private boolean copied;
  private boolean overwritten;
  private boolean sealed;
  private SealGrid ofSource = sourceSeals.of(NONE);
  private SealGrid ofRead = ofSource;

  RowInput(Component component, Backend backend, boolean verify) {
    this.component = component;
    this.backend = backend;
    this.verify = verify;
  }

  /** Takes up a tensor, before the output suspends seals. */
  void open(Tensor tensor, boolean overwrittenByOutput) {
    source = tensor.storage().segment();
    range = tensor.range();
    overwritten = overwrittenByOutput;
    boolean direct = source.isNative() && !source.isReadOnly() && range.hasUnitColumns();
    copied = !direct || (overwritten && verify);
    SealGrid watch = watchOf(tensor);
    sealed = watch != null;
    if (verify) {
      ofSource = watch != null ? watch : sourceSeals.of(range);
      ofRead = copied ? copySeals.ofCopy(range) : ofSource;
    }
    // The range of a copy is kept with its seals, so that calls allocate none.
    readRange = copied ? copySeals.ofCopy(range).range() : range;
    read = copied ? scratch.atLeast(4 * range.size()) : source;
  }

  private static @Nullable SealGrid watchOf(Tensor tensor) {
    var watch = (SealGrid) tensor.storage().watchOf(tensor.range());
    return watch != null && watch.inForce() ? watch : null;
  }

  Component component() {
    return component;
  }

  /** Whether the seals of the tensor as a whole are those that are compared. */
  boolean isSealed() {
    return sealed;
  }

  /** Rows of check blocks. */
  long units() {
    return range.batch() * CheckBlock.down(range.rows());
  }

  /** Has kernels read a row for every row of the output. */
  void showRows(RowView view) {
    view.set(
        read,
        4 * readRange.offset(),
        4 * readRange.batchStride(),
        4 * readRange.rowStride(),
        Long.MAX_VALUE);
  }

  /** Has kernels read the same row for every row of the output. */
  void showOneRow(RowView view) {
    view.set(read, 4 * readRange.offset(), 0, 0, 1);
  }

  /** Has kernels read row {@code first + row}, or, if there is a period, + matrix modulo that. */
  void showPositions(RowView view, long first, long period) {
    long stride = 4 * readRange.rowStride();
    long start = 4 * readRange.offset() + first * stride;
    view.set(read, start, period > 0 ? stride : 0, period > 0 ? 0 : stride, Math.max(1, period));
  }

  /**
   * Makes a unit ready to be read: seals and copies it, as far as that is called for.
   *
   * @param fresh false to read a unit again whose seals were made since the call's last pass began
   * @param again whether this is not the first pass: what was overwritten is in the copy already
   */
  void take(long unit, boolean fresh, boolean again, long[] found, Workspace workspace) {
    if (overwritten && (again || !fresh)) {
      return;
    }
    long across = CheckBlock.across(range.columns());
    for (long block = unit * across; verify && block < (unit + 1) * across; block++) {
      int at = (int) (Seal.SUMS * block);
      if (fresh && !sealed) {
        backend.scan(source, ofSource, block, found, workspace);
        System.arraycopy(found, 0, ofSource.sums(), at, Seal.SUMS);
      }
      if (copied) {
        System.arraycopy(ofSource.sums(), at, ofRead.sums(), at, Seal.SUMS);
      }
    }
    long down = CheckBlock.down(range.rows());
    long matrix = unit / down;
    long row = unit % down * CheckBlock.ROWS;
    long rows = Math.min(CheckBlock.ROWS, range.rows() - row);
    if (copied) {
      copy(matrix, row, rows);
    }
    if (Probe.ON) {
      probe(ProbePoint.ROW_INPUT_READ, matrix, row, rows);
    }
  }

  private void copy(long matrix, long row, long rows) {
    if (!range.hasUnitColumns()) {
      long to = 4 * readRange.word(matrix, row, 0);
      Staging.gather(
          source,
          range,
          matrix,
          row,
          (int) rows,
          0,
          range.columns(),
          read,
          to,
          4 * range.columns());
      return;
    }
    for (long i = row; i < row + rows; i++) {
      long from = 4 * range.word(matrix, i, 0);
      MemorySegment.copy(source, from, read, 4 * readRange.word(matrix, i, 0), 4 * range.columns());
    }
  }

  private void probe(ProbePoint point, long matrix, long row, long rows) {
    long from = 4 * readRange.word(matrix, row, 0);
    Probe.reach(point, read, from, rows, 4 * range.columns(), 4 * readRange.rowStride());
  }

  /** After the last use of a unit: whether it held what is sealed; what did not is put back. */
  boolean isIntact(long unit, RowGuard guard, long[] found, Workspace workspace) {
    long across = CheckBlock.across(range.columns());
    if (Probe.ON) {
      long first = unit * across;
      probe(
          ProbePoint.ROW_INPUT_LAST_USE,
          ofRead.batch(first),
          ofRead.row(first),
          ofRead.rows(first));
      int sums = (int) (Seal.SUMS * across);
      Probe.reach(ProbePoint.ROW_INPUT_SEAL, ofRead.sums(), (int) (Seal.SUMS * first), sums);
    }
    boolean intact = true;
    for (long block = unit * across; block < (unit + 1) * across; block++) {
      backend.scan(read, ofRead, block, found, workspace);
      if (!Seal.same(found, 0, ofRead.sums(), (int) (Seal.SUMS * block))) {
        intact = false;
        mend(block, guard);
      }
    }
    return intact;
  }

  private void mend(long block, RowGuard guard) {
    if (!guard.mends()) {
      guard.found(component);
      return;
    }
    Mended mended = ofRead.mend(read, block);
    guard.found(component, mended);
    boolean regained = mended.done();
    if (copied && !overwritten) {
      // The copy is made anew from the source, which may be what was damaged.
      Mended ofOrigin = ofSource.mend(source, block);
      regained |= ofOrigin.done();
    }
    if (!regained) {
      guard.lose();
    }
  }

  /** Lets go of the caller's memory. */
  void forget() {
    source = MemorySegment.NULL;
    read = MemorySegment.NULL;
    ofSource = ofRead;
  }

  @Override
  public void close() {
    scratch.close();
  }
}
