package dev.regolith.kernels.op;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;

/**
 * Seals that live as long as a call: of operands nobody sealed, and of copies. One grid, turned
 * from range to range, so that calls of changing shapes allocate nothing once it is large enough.
 */
final class CallSeals {
  private final SealGrid grid = new SealGrid(new Range(0, 0, 0, 0, 0, 0, 0));

  /** The grid, over a range. */
  SealGrid of(Range range) {
    if (!grid.range().equals(range)) {
      grid.turnTo(range);
    }
    return grid;
  }

  /** The grid, over matrices that lie row-major and without gaps from word 0 on, like another's. */
  SealGrid ofCopy(Range original) {
    Range last = grid.range();
    boolean same =
        last.isRowMajor()
            && last.batch() == original.batch()
            && last.rows() == original.rows()
            && last.columns() == original.columns();
    if (!same) {
      grid.turnTo(original.rowMajor());
    }
    return grid;
  }
}
