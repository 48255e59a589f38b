package dev.regolith.kernels.op;

import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import org.jspecify.annotations.Nullable;

/**
 * Seals that live as long as a call: of operands nobody sealed, and of copies. Makes a new grid
 * only when the range is not that of the call before.
 */
final class CallSeals {
  private long[] sums = {};
  private @Nullable SealGrid grid;

  /** A grid over a range. */
  SealGrid of(Range range) {
    var last = grid;
    return last != null && last.range().equals(range) ? last : make(range);
  }

  /**
   * A grid over matrices that lie row-major and without gaps from word 0 on, like those of another.
   */
  SealGrid ofCopy(Range original) {
    var last = grid;
    boolean same =
        last != null
            && last.range().batch() == original.batch()
            && last.range().rows() == original.rows()
            && last.range().columns() == original.columns();
    return last != null && same ? last : make(original.rowMajor());
  }

  private SealGrid make(Range range) {
    int length = Math.toIntExact(Seal.SUMS * SealGrid.blocks(range));
    if (sums.length < length) {
      sums = new long[length];
    }
    var fresh = new SealGrid(range, sums);
    grid = fresh;
    return fresh;
  }
}
