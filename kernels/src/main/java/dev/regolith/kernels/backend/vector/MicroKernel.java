package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.backend.AttentionProblem;
import java.lang.foreign.MemorySegment;

/**
 * The walk of a few strips over the panels of B, a register tile at a time, each along k: {@code
 * acc[i][j] = fma(a[i][k], b[k][j], acc[i][j])} for increasing k, the canonical chain. There is one
 * for every number of rows and kind, in bytecode ({@link VectorKernel}) and in machine code ({@link
 * MachineKernel}); both compute the same bits.
 */
abstract class MicroKernel {
  /** Where a kernel leaves its result. */
  enum Into {
    /** In tiles, to be continued from there. */
    TILES(0),
    /** In rows of {@link #ROW} floats, a strip's behind each other: scores of a block of keys. */
    ROWS(1),
    /** In C. */
    C(2);

    /** Its number. */
    final int number;

    Into(int number) {
      this.number = number;
    }
  }

  /** Floats in a row of {@link Into#ROWS}. */
  static final int ROW = AttentionProblem.BLOCK;

  /**
   * Row stride, in floats, of the copy of A; not a multiple of 4 KiB, so that rows spread in L1.
   */
  static final int STRIP_STRIDE = 512 + 16;

  /** Bytes of what is needed soon that a kernel asks for with every step along k. */
  static final int AHEAD_STEP = 16 * VectorShapes.UNROLL;

  /** Whether a kernel takes several strips. */
  static boolean repeats(boolean continues, boolean checks, Into into) {
    return !checks && !(continues && into == Into.C);
  }

  /** Refuses several strips where a kernel takes one, and none anywhere. */
  static void requireStrips(int strips, boolean repeats) {
    if (strips < 1 || (strips > 1 && !repeats)) {
      throw new IllegalArgumentException("a kernel cannot take " + strips + " strips at once");
    }
  }

  /**
   * Computes the tiles of strips with {@code count} panels, in whatever order: every strip's with a
   * panel before those with the next or, panels being read abreast, a strip's with all panels. A
   * strip's tiles of panels that follow each other do so in {@code tiles}, and in C.
   *
   * @param a rows of A, row {@code i} at {@code at + i * STRIP_STRIDE}: those of one strip, then
   *     those of the next
   * @param strips number of strips, whose rows follow each other in C; 1 if the kernel checks, or
   *     continues into C
   * @param panels packed B, {@code [depth][TILE_COLUMNS]} a panel, native and 64-byte aligned
   * @param offset where the first panel's k-block starts, in bytes
   * @param stride from there to that of the next panel, in bytes
   * @param count number of panels
   * @param depth number of steps along k, at most {@link #STRIP_STRIDE}
   * @param tiles tiles, {@code [rows][TILE_COLUMNS]} each; or rows
   * @param from where the first tile's accumulators are loaded from, if the kernel continues a
   *     chain; not where any of the call's tiles is stored, so that what was loaded can still be
   *     verified afterwards
   * @param to where they are stored, unless that is C
   * @param step from a strip's first tile, or first row, to the next strip's
   * @param digest the lane-wise 64-bit sum of all stored registers is added to the vector at {@code
   *     digestAt}
   * @param ahead how far behind the panel lies what will be read soon, in bytes and in {@code
   *     panels}: a kernel may ask for it from there on, {@link #AHEAD_STEP} bytes with every step.
   *     One that reads panels abreast takes it as the way from this call's panels to those of the
   *     next call, asks for their first steps, and allows any value
   * @param sums receives the running sums of each panel's words, see {@link
   *     dev.regolith.kernels.checksum.Digest}, one panel after the other, if the kernel checks
   * @param c where a kernel for C stores the accumulators, from {@code cAt} on, with rows {@code
   *     cStride} bytes apart; native
   * @return of no meaning; depends on words that were read only to bring them near, so that the
   *     compiler keeps them
   */
  abstract float sweep(
      float[] a,
      int at,
      int strips,
      MemorySegment panels,
      long offset,
      long stride,
      int count,
      int depth,
      float[] tiles,
      int from,
      int to,
      int step,
      long[] digest,
      int digestAt,
      long ahead,
      long[] sums,
      MemorySegment c,
      long cAt,
      long cStride);
}
