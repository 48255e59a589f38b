package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;

/** A finished tile on its way to C that has factors, or more columns than C. */
final class Tile {
  private Tile() {}

  /** {@code tile = alpha * tile}; the digest is consumed and made anew. */
  static void scale(float[] tile, int at, int words, float alpha, long[] digest, int digestAt) {
    LongVector before = LongVector.fromArray(LONGS, digest, digestAt);
    LongVector after = LongVector.zero(LONGS);
    for (int k = 0; k < words; k += LANES) {
      FloatVector x = FloatVector.fromArray(FLOATS, tile, at + k);
      before = before.sub(x.reinterpretAsLongs());
      FloatVector y = x.mul(alpha);
      y.intoArray(tile, at + k);
      after = after.add(y.reinterpretAsLongs());
    }
    // What was damaged before shows up in what is digested now.
    after.add(before).intoArray(digest, digestAt);
  }

  /** {@code tile = fma(alpha, tile, beta * old)}; the digest is consumed and made anew. */
  static void blend(
      float[] tile,
      int at,
      int rows,
      int columns,
      float alpha,
      float beta,
      MemorySegment old,
      long offset,
      long stride,
      long[] digest,
      int digestAt) {
    old = known(old);
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    LongVector before = LongVector.fromArray(LONGS, digest, digestAt);
    LongVector after = LongVector.zero(LONGS);
    for (int j = 0; j < TILE_COLUMNS; j += LANES) {
      VectorMask<Float> mask = FLOATS.indexInRange(j, columns);
      for (int i = 0; i < rows; i++) {
        int k = at + i * TILE_COLUMNS + j;
        FloatVector x = FloatVector.fromArray(FLOATS, tile, k);
        before = before.sub(x.reinterpretAsLongs());
        FloatVector c =
            FloatVector.fromMemorySegment(FLOATS, old, offset + i * stride + 4L * j, ORDER, mask);
        FloatVector y = factor.fma(x, c.mul(beta));
        y.intoArray(tile, k);
        after = after.add(y.reinterpretAsLongs());
      }
    }
    after.add(before).intoArray(digest, digestAt);
  }

  /**
   * Stores the first columns of a tile into C. Its words are subtracted from its digest, which must
   * leave zero; what was stored of them is added to another.
   */
  static void store(
      float[] tile,
      int at,
      int rows,
      int columns,
      MemorySegment c,
      long offset,
      long stride,
      long[] digest,
      int digestAt,
      int storedAt) {
    c = known(c);
    LongVector left = LongVector.fromArray(LONGS, digest, digestAt);
    LongVector stored = LongVector.fromArray(LONGS, digest, storedAt);
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int j = 0; j < TILE_COLUMNS; j += LANES) {
      VectorMask<Float> mask = FLOATS.indexInRange(j, columns);
      for (int i = 0; i < rows; i++) {
        FloatVector x = FloatVector.fromArray(FLOATS, tile, at + i * TILE_COLUMNS + j);
        left = left.sub(x.reinterpretAsLongs());
        stored = stored.add(zero.blend(x, mask).reinterpretAsLongs());
        x.intoMemorySegment(c, offset + i * stride + 4L * j, ORDER, mask);
      }
    }
    left.intoArray(digest, digestAt);
    stored.intoArray(digest, storedAt);
  }
}
