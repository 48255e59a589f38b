package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What attention keeps of every row from block to block: running maximum, sum of weights, and what
 * checks expect. A vector of rows at a time, without branches: whether a maximum rises is a matter
 * of chance.
 */
final class RunningRows {
  private RunningRows() {}

  /**
   * Takes a block's largest scores into the running maxima.
   *
   * @param reference the block's largest scores; receives what exponents are taken relative to
   * @param decay receives what becomes of sums of earlier blocks
   */
  static void rise(float[] reference, float[] max, float[] decay, int first, int rows) {
    int end = first + rows;
    int r = first;
    for (; r + LANES <= end; r += LANES) {
      FloatVector before = FloatVector.fromArray(FLOATS, max, r);
      FloatVector found = FloatVector.fromArray(FLOATS, reference, r);
      FloatVector now = before.blend(found, found.compare(VectorOperators.GT, before));
      FloatVector relative = reference(now);
      decay(before, now, relative).intoArray(decay, r);
      now.intoArray(max, r);
      relative.intoArray(reference, r);
    }
    for (; r < end; r++) {
      float before = max[r];
      float now = reference[r] > before ? reference[r] : before;
      decay[r] = VectorAttention.decay(before, now);
      max[r] = now;
      reference[r] = VectorAttention.reference(now);
    }
  }

  /** {@code sum = sum decay + block}. */
  static void add(float[] sum, float[] decay, float[] block, int first, int rows) {
    int end = first + rows;
    int r = first;
    for (; r + LANES <= end; r += LANES) {
      FloatVector found = FloatVector.fromArray(FLOATS, block, r);
      FloatVector factor = FloatVector.fromArray(FLOATS, decay, r);
      FloatVector.fromArray(FLOATS, sum, r).fma(factor, found).intoArray(sum, r);
    }
    for (; r < end; r++) {
      sum[r] = Math.fma(sum[r], decay[r], block[r]);
    }
  }

  /**
   * Works decays out again, from copies of the maxima before, which become those of now.
   *
   * @param max maxima that the block was computed with
   * @param copy their copies, before the block; receives them
   * @param reference receives what exponents have to be taken relative to
   * @param decay receives what becomes of sums of earlier blocks
   * @param usedReference what was taken for the first
   * @param usedDecay what was taken for the second
   * @return whether any of these is another
   */
  static boolean follow(
      float[] max,
      float[] copy,
      float[] reference,
      float[] decay,
      float[] usedReference,
      float[] usedDecay,
      int first,
      int rows) {
    IntVector differences = IntVector.zero(INTS);
    int end = first + rows;
    int r = first;
    for (; r + LANES <= end; r += LANES) {
      FloatVector before = FloatVector.fromArray(FLOATS, copy, r);
      FloatVector now = FloatVector.fromArray(FLOATS, max, r);
      FloatVector relative = reference(now);
      FloatVector factor = decay(before, now, relative);
      IntVector taken = FloatVector.fromArray(FLOATS, usedDecay, r).reinterpretAsInts();
      differences = differences.or(factor.reinterpretAsInts().lanewise(VectorOperators.XOR, taken));
      taken = FloatVector.fromArray(FLOATS, usedReference, r).reinterpretAsInts();
      differences =
          differences.or(relative.reinterpretAsInts().lanewise(VectorOperators.XOR, taken));
      factor.intoArray(decay, r);
      relative.intoArray(reference, r);
      now.intoArray(copy, r);
    }
    int rest = differences.reduceLanes(VectorOperators.OR);
    for (; r < end; r++) {
      float now = max[r];
      decay[r] = VectorAttention.decay(copy[r], now);
      reference[r] = VectorAttention.reference(now);
      rest |= Float.floatToRawIntBits(decay[r]) ^ Float.floatToRawIntBits(usedDecay[r]);
      rest |= Float.floatToRawIntBits(reference[r]) ^ Float.floatToRawIntBits(usedReference[r]);
      copy[r] = now;
    }
    return rest != 0;
  }

  /** {@code bound = bound decay + weights factor}. */
  static void extend(
      float[] bound, float[] decay, float[] weights, float factor, int first, int rows) {
    int end = first + rows;
    int r = first;
    for (; r + LANES <= end; r += LANES) {
      FloatVector more = FloatVector.fromArray(FLOATS, weights, r).mul(factor);
      FloatVector.fromArray(FLOATS, bound, r)
          .fma(FloatVector.fromArray(FLOATS, decay, r), more)
          .intoArray(bound, r);
    }
    for (; r < end; r++) {
      bound[r] = Math.fma(bound[r], decay[r], weights[r] * factor);
    }
  }

  /** See {@link VectorAttention#reference}. */
  private static FloatVector reference(FloatVector max) {
    return max.blend(0, max.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
  }

  /** See {@link VectorAttention#decay}. */
  private static FloatVector decay(FloatVector before, FloatVector now, FloatVector reference) {
    return VectorFunctions.expOfModerate(before.sub(reference))
        .blend(1, before.compare(VectorOperators.EQ, now));
  }
}
