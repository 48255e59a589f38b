package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.checksum.Digest;
import java.lang.foreign.MemorySegment;

/**
 * A kernel in bytecode, for the JIT: what computes wherever machine code is not at hand.
 * Implementations are written by {@link VectorKernelWriter}.
 */
abstract class VectorKernel extends MicroKernel {
  @Override
  final float sweep(
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
      long cStride) {
    requireStrips(strips, repeats());
    float touched = 0;
    // Java has no prefetch: kernels read a word of it, so it has to be there.
    long stretch = (long) depth * AHEAD_STEP;
    long last = panels.byteSize() - stretch - ahead;
    boolean inRows = isInRows();
    for (int i = 0; i < count; i++) {
      long near = offset <= last ? offset + ahead : offset;
      for (int strip = 0; strip < strips; strip++) {
        // A kernel counts from where its rows start, which goes for the panel as well.
        int first = at + strip * rows() * STRIP_STRIDE;
        touched +=
            run(
                a,
                first,
                panels,
                offset - 4L * TILE_COLUMNS * first,
                first + depth,
                tiles,
                from + strip * step,
                to + strip * step,
                digest,
                digestAt,
                near - (long) AHEAD_STEP * first,
                sums,
                i * Digest.SUMS * WIDE_LANES,
                c,
                cAt + (long) strip * rows() * cStride,
                cStride);
      }
      offset += stride;
      from += TILE;
      to += inRows ? TILE_COLUMNS : TILE;
      cAt += 4L * TILE_COLUMNS;
    }
    return touched;
  }

  /** Rows of a strip. */
  abstract int rows();

  /** Whether it leaves its result in rows. */
  abstract boolean isInRows();

  /** Whether it takes several strips. */
  abstract boolean repeats();

  /**
   * Computes one tile; see {@link #sweep}.
   *
   * @param first place of the strip's first element: places in the panel, and what is read soon,
   *     are so many steps along k behind {@code panelOffset} and {@code near}
   * @param end behind the first row's last element
   * @param near what of the packed memory will be read soon: a word is touched at every turn of the
   *     loop from there on, by kernels of at most {@link VectorShapes#TOUCHING_ROWS} rows
   * @param sumsAt place of the panel's running sums
   */
  abstract float run(
      float[] a,
      int first,
      MemorySegment panel,
      long panelOffset,
      int end,
      float[] tiles,
      int from,
      int to,
      long[] digest,
      int digestAt,
      long near,
      long[] sums,
      int sumsAt,
      MemorySegment c,
      long cAt,
      long cStride);
}
