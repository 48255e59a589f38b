package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
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
    for (int r = first; r < first + rows; r += LANES) {
      VectorMask<Float> some = FLOATS.indexInRange(r, first + rows);
      FloatVector before = FloatVector.fromArray(FLOATS, max, r, some);
      FloatVector found = FloatVector.fromArray(FLOATS, reference, r, some);
      FloatVector now = before.blend(found, found.compare(VectorOperators.GT, before));
      FloatVector relative = reference(now);
      decay(before, now, relative).intoArray(decay, r, some);
      now.intoArray(max, r, some);
      relative.intoArray(reference, r, some);
    }
  }

  /** {@code sum = sum decay + block}. */
  static void add(float[] sum, float[] decay, float[] block, int first, int rows) {
    for (int r = first; r < first + rows; r += LANES) {
      VectorMask<Float> some = FLOATS.indexInRange(r, first + rows);
      FloatVector found = FloatVector.fromArray(FLOATS, block, r, some);
      FloatVector factor = FloatVector.fromArray(FLOATS, decay, r, some);
      FloatVector.fromArray(FLOATS, sum, r, some).fma(factor, found).intoArray(sum, r, some);
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
    for (int r = first; r < first + rows; r += LANES) {
      VectorMask<Float> some = FLOATS.indexInRange(r, first + rows);
      FloatVector before = FloatVector.fromArray(FLOATS, copy, r, some);
      FloatVector now = FloatVector.fromArray(FLOATS, max, r, some);
      FloatVector relative = reference(now);
      FloatVector factor = decay(before, now, relative);
      IntVector taken = FloatVector.fromArray(FLOATS, usedDecay, r, some).reinterpretAsInts();
      IntVector difference = factor.reinterpretAsInts().lanewise(VectorOperators.XOR, taken);
      taken = FloatVector.fromArray(FLOATS, usedReference, r, some).reinterpretAsInts();
      difference = difference.or(relative.reinterpretAsInts().lanewise(VectorOperators.XOR, taken));
      differences = differences.or(difference.blend(0, some.not().cast(INTS)));
      factor.intoArray(decay, r, some);
      relative.intoArray(reference, r, some);
      now.intoArray(copy, r, some);
    }
    return differences.reduceLanes(VectorOperators.OR) != 0;
  }

  /** {@code bound = bound decay + weights factor}. */
  static void extend(
      float[] bound, float[] decay, float[] weights, float factor, int first, int rows) {
    for (int r = first; r < first + rows; r += LANES) {
      VectorMask<Float> some = FLOATS.indexInRange(r, first + rows);
      FloatVector more = FloatVector.fromArray(FLOATS, weights, r, some).mul(factor);
      FloatVector.fromArray(FLOATS, bound, r, some)
          .fma(FloatVector.fromArray(FLOATS, decay, r, some), more)
          .intoArray(bound, r, some);
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
