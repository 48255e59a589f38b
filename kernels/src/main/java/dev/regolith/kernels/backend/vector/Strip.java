package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;

/**
 * The copy of a few rows of A that a strip of tiles reads: rows at a constant stride in a {@code
 * float[]}, so that broadcasts have constant displacements. A digest (the lane-wise 64-bit sum of
 * the words, made from the registers they pass through) tells afterwards whether the copy stayed
 * what it was; there is nothing to locate, since mending is copying again.
 */
final class Strip {
  private Strip() {}

  /** Copies a row and adds its words to the digest. The last vector is padded with zeros. */
  static void copyRow(
      MemorySegment a, long offset, int depth, float[] strip, int at, long[] digest) {
    LongVector sum = LongVector.fromArray(LONGS, digest, 0);
    int full = FLOATS.loopBound(depth);
    for (int k = 0; k < full; k += LANES) {
      FloatVector x = FloatVector.fromMemorySegment(FLOATS, a, offset + 4L * k, ORDER);
      x.intoArray(strip, at + k);
      sum = sum.add(x.reinterpretAsLongs());
    }
    sum.intoArray(digest, 0);
    if (full < depth) {
      copyTail(a, offset + 4L * full, depth - full, strip, at + full, digest);
    }
  }

  private static void copyTail(
      MemorySegment a, long offset, int count, float[] strip, int at, long[] digest) {
    VectorMask<Float> mask = FLOATS.indexInRange(0, count);
    FloatVector x = FloatVector.fromMemorySegment(FLOATS, a, offset, ORDER, mask);
    x.intoArray(strip, at);
    LongVector.fromArray(LONGS, digest, 0).add(x.reinterpretAsLongs()).intoArray(digest, 0);
  }

  /** Subtracts a stretch of words from the digest: all of them leave it at zero. */
  static void subtract(float[] words, int at, int count, long[] digest, int digestAt) {
    LongVector sum = LongVector.fromArray(LONGS, digest, digestAt);
    for (int k = 0; k < count; k += LANES) {
      sum = sum.sub(FloatVector.fromArray(FLOATS, words, at + k).reinterpretAsLongs());
    }
    sum.intoArray(digest, digestAt);
  }

  /** Whether every lane of a digest is zero. */
  static boolean isZero(long[] digest, int at) {
    long bits = 0;
    for (int lane = 0; lane < VectorShapes.WIDE_LANES; lane++) {
      bits |= digest[at + lane];
    }
    return bits == 0;
  }
}
