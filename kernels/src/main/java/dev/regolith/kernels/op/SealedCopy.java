package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.MemorySegment;

/** Copies of operands, one row of check blocks at a time, sealed from the words that were read. */
final class SealedCopy {
  private static final int ATTEMPTS = 3;

  private SealedCopy() {}

  /**
   * Copies a row of check blocks into row-major memory and seals the copy. The sum of the words
   * read must be the sum of the words sealed; otherwise it is done again.
   */
  static void make(
      Backend backend,
      MemorySegment source,
      Range range,
      long blockRow,
      MemorySegment target,
      SealGrid grid,
      boolean seal,
      long[] found,
      Workspace workspace) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      long read = copy(source, range, blockRow, target, grid);
      if (!seal || read == seal(backend, target, grid, blockRow, found, workspace)) {
        return;
      }
    }
  }

  /** Copies a row of check blocks; the sum of the words read. */
  static long copy(
      MemorySegment source, Range range, long blockRow, MemorySegment target, SealGrid grid) {
    long first = blockRow * CheckBlock.across(range.columns());
    return Staging.gather(
        source,
        range,
        grid.batch(first),
        grid.row(first),
        grid.rows(first),
        0,
        range.columns(),
        target,
        4 * grid.word(first),
        4 * range.columns());
  }

  /** Seals a row of check blocks where it lies; the sum of its words. */
  static long seal(
      Backend backend,
      MemorySegment memory,
      SealGrid grid,
      long blockRow,
      long[] found,
      Workspace workspace) {
    long across = CheckBlock.across(grid.range().columns());
    long sum = 0;
    for (long block = blockRow * across; block < (blockRow + 1) * across; block++) {
      backend.scan(memory, grid, block, found, workspace);
      System.arraycopy(found, 0, grid.sums(), (int) (Seal.SUMS * block), Seal.SUMS);
      sum += found[0];
    }
    return sum;
  }
}
