package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * An operand of 16-bit floats as it is widened: where it lies, if its rows are stretches of native
 * memory that it shares no word of, or a copy. Its words are sealed when they are first read,
 * unless their owner did, and verified after their last use.
 */
final class HalfSource implements AutoCloseable {
  private final String operator;
  private final Backend backend;
  private final Scrubber scrubber;
  private final boolean verify;
  private final Scratch scratch = new Scratch();
  private final CallSeals callSeals = new CallSeals();
  private final HalfRows original = new HalfRows();
  private final Scrubber.Patch patch = this::patch;
  private Range ofCopy = new Range(0, 0, 0, 0, 0, 0, 0);
  private MemorySegment memory = MemorySegment.NULL;
  private @Nullable Tensor tensor;
  private @Nullable SealGrid seals;
  private boolean copied;
  private volatile boolean torn;

  HalfSource(String operator, Backend backend, Scrubber scrubber, boolean verify) {
    this.operator = operator;
    this.scrubber = scrubber;
    this.backend = backend;
    this.verify = verify;
  }

  /** Takes up a tensor; {@code rows} will be where to read it. */
  void open(Tensor half, HalfRows rows) {
    tensor = half;
    memory = half.storage().segment();
    rows.set(half, memory);
    copied = !half.fillsWords() || memory.isReadOnly() || rows.columnStride() != 1;
    seals = null;
    if (copied) {
      original.set(half, memory);
      Range words = wordsOfCopy(rows.rows(), rows.columns());
      memory = scratch.atLeast(Integer.BYTES * words.size());
      rows.moveTo(memory, 2 * words.rowStride());
      seals = callSeals.of(words);
    } else if (verify && !LeftOperand.isSealedWhole(half)) {
      seals = callSeals.of(half.words());
    }
  }

  /** Rows of a copy, each of whole words. */
  private Range wordsOfCopy(long rows, long columns) {
    long across = Math.ceilDiv(columns, 2);
    if (ofCopy.rows() != rows || ofCopy.columns() != across) {
      ofCopy = new Range(0, 1, rows, across, rows * across, across, 1);
    }
    return ofCopy;
  }

  /** Tasks of {@link #prepare}: one per row of check blocks. */
  long tasks() {
    SealGrid grid = seals;
    return grid == null ? 0 : grid.range().batch() * CheckBlock.down(grid.range().rows());
  }

  /** Copies and seals a row of check blocks, or seals it where it is. */
  void prepare(long task, long[] found, Workspace workspace) {
    SealGrid grid = seals;
    if (grid == null) {
      return;
    }
    if (!copied) {
      SealedCopy.seal(backend, memory, grid, task, found, workspace);
      return;
    }
    long read = copy(task);
    if (Probe.ON) {
      long bytes = Integer.BYTES * grid.range().columns();
      long rows = Math.min(grid.range().rows() - task * CheckBlock.ROWS, CheckBlock.ROWS);
      Probe.reach(
          ProbePoint.HALVES_COPIED, memory, task * CheckBlock.ROWS * bytes, rows, bytes, bytes);
    }
    if (verify && read != SealedCopy.seal(backend, memory, grid, task, found, workspace)) {
      torn = true;
    }
  }

  /** Whether the copy was not what was read, since this was asked the last time. */
  boolean wasTorn() {
    boolean was = torn;
    torn = false;
    return was;
  }

  /** Copies a row of check blocks; the sum of the words that were made of what was read. */
  private long copy(long task) {
    long sum = 0;
    long columns = original.columns();
    long pitch = 2 * ofCopy.rowStride();
    long end = Math.min(original.rows(), (task + 1) * CheckBlock.ROWS);
    for (long row = task * CheckBlock.ROWS; row < end; row++) {
      long from = original.element(row);
      for (long j = 0; j < pitch; j++) {
        short bits = j < columns ? original.get(from + j * original.columnStride()) : 0;
        memory.setAtIndex(ValueLayout.JAVA_SHORT, row * pitch + j, bits);
        sum += (long) Short.toUnsignedInt(bits) << (j % 2 == 0 ? 0 : Short.SIZE);
      }
    }
    return sum;
  }

  /** After the last use: what changed since the first is put back. */
  Status verify() {
    Tensor half = tensor;
    SealGrid grid = seals;
    Status found = half == null ? Status.CLEAN : scrubOwner(half);
    // What its owner's seals put back was wrong when those of this call were made.
    return found == Status.CLEAN && grid != null ? scrubber.scrub(operator, memory, grid) : found;
  }

  /**
   * Holds the operand against the seals of its owner. What cannot be put back in its memory is, in
   * a copy of that, from which rows are copied once more.
   */
  private Status scrubOwner(Tensor half) {
    if (!half.storage().place().isReadOnly()) {
      return scrubber.scrub(operator, half);
    }
    Status worst = Status.CLEAN;
    for (Watch watch : half.storage().watches()) {
      if (watch.inForce() && half.touches(watch.range())) {
        Status status = scrubber.scrub(operator, original.memory(), (SealGrid) watch, patch);
        worst = worst.worse(status);
      }
    }
    return worst;
  }

  private void patch(long word, int changedBits) {
    original.moveTo(Staging.patched(original.memory(), word, changedBits));
  }

  /** Lets go of the caller's memory. */
  void forget() {
    tensor = null;
    seals = null;
    memory = MemorySegment.NULL;
    original.forget();
  }

  @Override
  public void close() {
    scratch.close();
  }
}
