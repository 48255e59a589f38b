package dev.regolith.kernels.backend.vector;

import java.lang.foreign.MemorySegment;

/**
 * A register tile's walk along k: {@code acc[i][j] = fma(a[i][k], b[k][j], acc[i][j])} for
 * increasing k, the canonical chain. Implementations are written by {@link MicroKernelWriter}, one
 * class per number of rows and per kind.
 */
interface MicroKernel {
  /**
   * Row stride, in floats, of the copy of A; not a multiple of 4 KiB, so that rows spread in L1.
   */
  int STRIP_STRIDE = 512 + 16;

  /** Bytes between touches of what is needed soon: a cache line at every fourth turn along k. */
  int NEAR_STEP = 16;

  /**
   * Computes one tile.
   *
   * @param strip rows of A, row {@code i} at {@code i * STRIP_STRIDE}
   * @param panel packed B, {@code [depth][TILE_COLUMNS]}, native and 64-byte aligned
   * @param panelOffset where the panel's k-block starts, in bytes
   * @param depth number of steps along k, at most {@link #STRIP_STRIDE}
   * @param tiles tiles, {@code [rows][TILE_COLUMNS]}
   * @param from where the accumulators are loaded from, if the kernel continues a chain; another
   *     place than {@code to}, so that what was loaded can still be verified afterwards
   * @param to where the accumulators are stored
   * @param digest the lane-wise 64-bit sum of the stored registers is added to the vector at {@code
   *     digestAt}
   * @param near what of the packed memory will be read soon: a word is touched at every turn of the
   *     loop, {@link #NEAR_STEP} bytes apart, from there on, if kernels are {@link
   *     VectorShapes#TOUCHING}
   * @param sums receives the running sums of the panel's words, see {@link
   *     dev.regolith.kernels.checksum.Digest}, if the kernel checks
   * @return of no meaning; depends on the touched words, so that the compiler keeps them
   */
  float run(
      float[] strip,
      MemorySegment panel,
      long panelOffset,
      int depth,
      float[] tiles,
      int from,
      int to,
      long[] digest,
      int digestAt,
      long near,
      long[] sums);
}
