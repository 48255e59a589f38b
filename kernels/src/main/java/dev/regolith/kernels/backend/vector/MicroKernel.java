package dev.regolith.kernels.backend.vector;

import java.lang.foreign.MemorySegment;

/**
 * A register tile's walk along k: {@code acc[i][j] = fma(a[i][k], b[k][j], acc[i][j])} for
 * increasing k, the canonical chain. Implementations are written by {@link MicroKernelWriter}, one
 * class per number of rows and per kind.
 */
abstract class MicroKernel {
  /**
   * Row stride, in floats, of the copy of A; not a multiple of 4 KiB, so that rows spread in L1.
   */
  static final int STRIP_STRIDE = 512 + 16;

  /**
   * Bytes of what is needed soon that are brought near for every step along k: a cache line at
   * every second or fourth.
   */
  static final int NEAR_STEP = 16 * VectorShapes.UNROLL;

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
   * @param to where the accumulators are stored, unless the kernel finishes
   * @param digest the lane-wise 64-bit sum of the stored registers is added to the vector at {@code
   *     digestAt}
   * @param near what of the packed memory will be read soon: a word is touched at every turn of the
   *     loop from there on, {@link #NEAR_STEP} bytes further for every step, by kernels of at most
   *     {@link VectorShapes#TOUCHING_ROWS} rows
   * @param sums receives the running sums of the panel's words, see {@link
   *     dev.regolith.kernels.checksum.Digest}, if the kernel checks
   * @param c where a kernel that finishes stores the accumulators, from {@code cAt} on, with rows
   *     {@code cStride} bytes apart; native
   * @return of no meaning; depends on the touched words, so that the compiler keeps them
   */
  abstract float run(
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
      long[] sums,
      MemorySegment c,
      long cAt,
      long cStride);
}
