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
      float[] strip,
      MemorySegment panels,
      long offset,
      long stride,
      int count,
      int depth,
      float[] tiles,
      int from,
      int to,
      long[] digest,
      int digestAt,
      long ahead,
      long[] sums,
      MemorySegment c,
      long cAt,
      long cStride) {
    float touched = 0;
    // Java has no prefetch: kernels read a word of it, so it has to be there.
    long stretch = (long) depth * AHEAD_STEP;
    long last = panels.byteSize() - stretch - ahead;
    for (int i = 0; i < count; i++) {
      touched +=
          run(
              strip,
              panels,
              offset,
              depth,
              tiles,
              from,
              to,
              digest,
              digestAt,
              offset <= last ? offset + ahead : offset,
              sums,
              i * Digest.SUMS * WIDE_LANES,
              c,
              cAt,
              cStride);
      offset += stride;
      from += TILE;
      to += TILE;
      cAt += 4L * TILE_COLUMNS;
    }
    return touched;
  }

  /**
   * Computes one tile; see {@link #sweep}.
   *
   * @param near what of the packed memory will be read soon: a word is touched at every turn of the
   *     loop from there on, by kernels of at most {@link VectorShapes#TOUCHING_ROWS} rows
   * @param sumsAt place of the panel's running sums
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
      int sumsAt,
      MemorySegment c,
      long cAt,
      long cStride);
}
