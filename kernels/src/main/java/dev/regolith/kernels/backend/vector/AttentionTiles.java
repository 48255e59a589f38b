package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;

/**
 * One row of a tile of weighted sums: what is done to it between kernels. Whatever reads a row
 * subtracts it from the digest it was written with, whatever writes one adds it.
 */
final class AttentionTiles {
  private static final long LOW_WORD = 0xFFFF_FFFFL;

  private AttentionTiles() {}

  /**
   * Multiplies a row of tiles.
   *
   * @param at place of the row in the first tile
   */
  static void scale(float[] tiles, int at, int panels, float factor, long[] digests, int digest) {
    LongVector sum = LongVector.fromArray(LONGS, digests, digest);
    for (int k = at; k < at + panels * TILE; k += TILE) {
      FloatVector x = FloatVector.fromArray(FLOATS, tiles, k);
      FloatVector y = FloatVector.fromArray(FLOATS, tiles, k + LANES);
      FloatVector p = x.mul(factor);
      FloatVector q = y.mul(factor);
      p.intoArray(tiles, k);
      q.intoArray(tiles, k + LANES);
      sum = sum.add(p.reinterpretAsLongs().sub(x.reinterpretAsLongs()));
      sum = sum.add(q.reinterpretAsLongs().sub(y.reinterpretAsLongs()));
    }
    sum.intoArray(digests, digest);
  }

  /** Adds a row to a digest. */
  static void add(float[] tiles, int at, long[] digests, int digest) {
    LongVector sum = LongVector.fromArray(LONGS, digests, digest);
    for (int c = 0; c < TILE_COLUMNS; c += LANES) {
      sum = sum.add(FloatVector.fromArray(FLOATS, tiles, at + c).reinterpretAsLongs());
    }
    sum.intoArray(digests, digest);
  }

  /**
   * {@code total = before total + now span}, or {@code now span} if there is no total yet, of a row
   * of tiles.
   *
   * @param from place of the row in the first tile
   * @param to its place in the total
   */
  static void merge(
      float[] span,
      int from,
      int panels,
      long[] digests,
      int spanDigest,
      float[] total,
      int to,
      int totalDigest,
      boolean merged,
      float before,
      float now) {
    LongVector read = LongVector.fromArray(LONGS, digests, spanDigest);
    LongVector written = LongVector.fromArray(LONGS, digests, totalDigest);
    for (int panel = 0; panel < panels; panel++) {
      for (int c = panel * TILE; c < panel * TILE + TILE_COLUMNS; c += LANES) {
        FloatVector x = FloatVector.fromArray(FLOATS, span, from + c);
        read = read.sub(x.reinterpretAsLongs());
        FloatVector y = x.mul(now);
        if (merged) {
          FloatVector z = FloatVector.fromArray(FLOATS, total, to + c);
          written = written.sub(z.reinterpretAsLongs());
          y = z.fma(FloatVector.broadcast(FLOATS, before), y);
        }
        y.intoArray(total, to + c);
        written = written.add(y.reinterpretAsLongs());
      }
    }
    read.intoArray(digests, spanDigest);
    written.intoArray(digests, totalDigest);
  }

  /**
   * The final division: brings a row to the result, and takes it out of the digest.
   *
   * @param at place of the row in the first of the tiles that it lies across
   * @param stride from one number of the result to the next, in bytes
   * @return the sum of the result's words, as unsigned integers, from the registers
   */
  static long deliver(
      float[] total,
      int at,
      float sum,
      long[] digests,
      int digest,
      MemorySegment out,
      long to,
      long stride,
      int columns) {
    LongVector read = LongVector.fromArray(LONGS, digests, digest);
    LongVector stored = LongVector.zero(LONGS);
    FloatVector zero = FloatVector.zero(FLOATS);
    boolean direct = stride == 4;
    int k = at;
    for (int j = 0; j < columns; j += TILE_COLUMNS) {
      boolean whole = direct && j + TILE_COLUMNS <= columns;
      for (int c = 0; c < TILE_COLUMNS; c += LANES) {
        FloatVector x = FloatVector.fromArray(FLOATS, total, k + c);
        read = read.sub(x.reinterpretAsLongs());
        FloatVector y = sum == 0 ? zero : x.div(sum).add(0);
        if (whole) {
          y.intoMemorySegment(out, to + 4L * (j + c), ORDER);
        } else {
          y.intoArray(total, k + c);
          y = zero.blend(y, FLOATS.indexInRange(j + c, columns));
        }
        LongVector words = y.reinterpretAsLongs();
        stored = stored.add(words.and(LOW_WORD)).add(words.lanewise(VectorOperators.LSHR, 32));
      }
      if (!whole) {
        scatter(total, k, out, to + j * stride, stride, Math.min(TILE_COLUMNS, columns - j));
      }
      k += TILE;
    }
    read.intoArray(digests, digest);
    return stored.reduceLanes(VectorOperators.ADD);
  }

  private static void scatter(
      float[] from, int at, MemorySegment out, long to, long stride, int columns) {
    for (int c = 0; c < columns; c++) {
      out.set(ValueLayout.JAVA_FLOAT, to + c * stride, from[at + c]);
    }
  }
}
