package dev.regolith.kernels.op;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A tensor as attention sees it: {@code [sequence, head, row, column]} with any strides, given as
 * such or as {@code [sequence, row, head * column]}. Strides are in elements. Mutable and reused.
 */
final class HeadView {
  @Nullable Tensor tensor;
  MemorySegment memory = MemorySegment.NULL;
  long offset;
  long batch;
  int heads;
  long rows;
  int columns;
  long batchStride;
  long headStride;
  long rowStride;
  long columnStride;

  /**
   * Takes up a tensor and its words.
   *
   * @param sideBySide heads of a tensor of rank 3
   */
  void set(Tensor tensor, int sideBySide) {
    describe(tensor, sideBySide);
    fetch();
  }

  /** Takes up a tensor, wherever its words are. */
  void describe(Tensor tensor, int sideBySide) {
    this.tensor = tensor;
    offset = tensor.offset();
    batch = tensor.size(0);
    batchStride = tensor.stride(0);
    boolean apart = tensor.rank() == 4;
    heads = apart ? Math.toIntExact(tensor.size(1)) : sideBySide;
    rows = tensor.size(-2);
    rowStride = tensor.stride(-2);
    columns = Math.toIntExact(apart ? tensor.size(3) : tensor.size(2) / sideBySide);
    columnStride = tensor.stride(-1);
    headStride = apart ? tensor.stride(1) : columns * columnStride;
  }

  /** Has the words here. */
  void fetch() {
    memory = tensor == null ? MemorySegment.NULL : tensor.storage().segment();
  }

  /**
   * The matrices of a sequence, one for each head: matrix {@code sequence * heads + head} is its.
   *
   * @param turned with rows and columns exchanged
   * @param known given back if it is what is asked for
   */
  Range ofSequence(long sequence, boolean turned, Range known) {
    long start = offset + sequence * (batchStride - heads * headStride);
    long down = turned ? columns : rows;
    long across = turned ? rows : columns;
    long downStride = turned ? columnStride : rowStride;
    long acrossStride = turned ? rowStride : columnStride;
    if (known.offset() == start
        && known.batch() == batch * heads
        && known.rows() == down
        && known.columns() == across
        && known.batchStride() == headStride
        && known.rowStride() == downStride
        && known.columnStride() == acrossStride) {
      return known;
    }
    return new Range(start, batch * heads, down, across, headStride, downStride, acrossStride);
  }

  /** Tells the probe of every row. */
  void probe(ProbePoint point) {
    for (long sequence = 0; sequence < batch; sequence++) {
      for (long head = 0; head < heads; head++) {
        for (long row = 0; row < rows; row++) {
          long at = offset + sequence * batchStride + head * headStride + row * rowStride;
          Probe.reach(point, memory, 4 * at, columns, 4, 4 * columnStride);
        }
      }
    }
  }

  /** Lets go of the memory. */
  void forget() {
    tensor = null;
    memory = MemorySegment.NULL;
  }
}
