package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The copy of rows of A that strips of tiles read: at a constant stride in a {@code float[]}, so
 * that broadcasts have constant displacements. A digest (the lane-wise 64-bit sum of the words,
 * made from the registers they pass through) tells afterwards whether the copy stayed what it was;
 * there is nothing to locate, since mending is copying again.
 */
final class Strip {
  private Strip() {}

  /** Copies rows to {@code at} and on. Their last vector is padded with zeros. */
  static void copy(
      MemorySegment a, long offset, long stride, int rows, int depth, float[] strip, int at) {
    a = known(a);
    int full = FLOATS.loopBound(depth);
    for (int i = 0; i < rows; i++) {
      long row = offset + i * stride;
      int to = at + i * MicroKernel.STRIP_STRIDE;
      for (int k = 0; k < full; k += LANES) {
        FloatVector.fromMemorySegment(FLOATS, a, row + 4L * k, ORDER).intoArray(strip, to + k);
      }
    }
    for (int i = 0; full < depth && i < rows; i++) {
      int to = at + i * MicroKernel.STRIP_STRIDE + full;
      copyTail(a, offset + i * stride + 4L * full, depth - full, strip, to);
    }
  }

  private static void copyTail(MemorySegment a, long offset, int count, float[] strip, int at) {
    VectorMask<Float> mask = FLOATS.indexInRange(0, count);
    FloatVector.fromMemorySegment(FLOATS, a, offset, ORDER, mask).intoArray(strip, at);
  }

  /**
   * Copies rows of full vectors of A, and makes of the registers they pass through: running sums
   * for the seal, the digest of the copy, and what tolerances need to know.
   *
   * @param at where the first row's copy starts
   * @param k step along k that the first column is
   * @param raw receives the running sums
   */
  static void copyBlock(
      MemorySegment a,
      long offset,
      long stride,
      int rows,
      int width,
      float[] strip,
      int at,
      int k,
      long[] raw,
      long[] digest,
      int digestAt,
      RowSurvey survey) {
    if (VectorShapes.MACHINE_CODE) {
      MachinePasses.copyBlock(
          a, offset, stride, rows, width, strip, at, k, raw, digest, digestAt, survey);
      return;
    }
    a = known(a);
    LongVector s0 = LongVector.zero(LONGS);
    LongVector s1 = s0;
    LongVector s2 = s0;
    LongVector h0 = s0;
    LongVector h1 = s0;
    LongVector h2 = s0;
    float[] sums = survey.sums;
    float[] squares = survey.squares;
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int i = 0; i < rows; i++) {
      FloatVector sum = FloatVector.fromArray(FLOATS, sums, i * LANES);
      FloatVector other = zero;
      for (int grain = 0; grain < width; grain += Tolerance.GRAIN) {
        int end = Math.min(Tolerance.GRAIN, width - grain);
        FloatVector energy = zero;
        FloatVector rest = zero;
        long from = offset + i * stride + 4L * grain;
        int to = at + i * MicroKernel.STRIP_STRIDE + k + grain;
        for (int j = 0; j < end; j += 2 * LANES) {
          FloatVector x = FloatVector.fromMemorySegment(FLOATS, a, from + 4L * j, ORDER);
          x.intoArray(strip, to + j);
          energy = x.fma(x, energy);
          sum = sum.add(x);
          LongVector v = x.reinterpretAsLongs();
          LongVector h = v.lanewise(VectorOperators.LSHR, 32);
          s0 = s0.add(v);
          s1 = s1.add(s0);
          s2 = s2.add(s1);
          h0 = h0.add(h);
          h1 = h1.add(h0);
          h2 = h2.add(h1);
          x = FloatVector.fromMemorySegment(FLOATS, a, from + 4L * (j + LANES), ORDER);
          x.intoArray(strip, to + j + LANES);
          rest = x.fma(x, rest);
          other = other.add(x);
          v = x.reinterpretAsLongs();
          h = v.lanewise(VectorOperators.LSHR, 32);
          s0 = s0.add(v);
          s1 = s1.add(s0);
          s2 = s2.add(s1);
          h0 = h0.add(h);
          h1 = h1.add(h0);
          h2 = h2.add(h1);
        }
        energy.add(rest).intoArray(squares, RowSurvey.at(i, (k + grain) / Tolerance.GRAIN));
      }
      sum.add(other).intoArray(sums, i * LANES);
    }
    LongVector.fromArray(LONGS, digest, digestAt).add(s0).intoArray(digest, digestAt);
    SealLanes.put(s0, s1, s2, raw, 0);
    SealLanes.put(h0, h1, h2, raw, SealLanes.UPPER);
  }

  /** Subtracts rows of words, full vectors, from the digest: all of them leave it at zero. */
  static void subtract(
      float[] words, int at, int stride, int rows, int count, long[] digest, int digestAt) {
    if (VectorShapes.MACHINE_CODE) {
      MachinePasses.subtract(words, at, stride, rows, count, digest, digestAt);
      return;
    }
    LongVector sum = LongVector.fromArray(LONGS, digest, digestAt);
    for (int i = 0; i < rows; i++) {
      int row = at + i * stride;
      for (int k = 0; k < count; k += LANES) {
        sum = sum.sub(FloatVector.fromArray(FLOATS, words, row + k).reinterpretAsLongs());
      }
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
