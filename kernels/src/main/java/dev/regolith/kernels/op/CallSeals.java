package dev.regolith.kernels.op;

import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import org.jspecify.annotations.Nullable;

/** Seals that live as long as a call: of operands nobody sealed, and of copies. */
final class CallSeals {
  private long[] sums = {};
  private @Nullable SealGrid grid;

  /** A grid over a range; the same object while the range stays the same. */
  SealGrid of(Range range) {
    var last = grid;
    if (last != null && last.range().equals(range)) {
      return last;
    }
    int length = Math.toIntExact(Seal.SUMS * SealGrid.blocks(range));
    if (sums.length < length) {
      sums = new long[length];
    }
    var fresh = new SealGrid(range, sums);
    grid = fresh;
    return fresh;
  }
}
