package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What attention keeps of every row from block to block: running maximum, sum of weights, and what
 * checks expect. A vector of rows at a time, without branches: whether a maximum rises is a matter
 * of chance. The last vector ends with the last row, so that it may overlap the one before: what is
 * updated in place is read a turn ahead. Fewer rows than lanes take a turn each.
 */
final class RunningRows {
  private RunningRows() {}

  /**
   * Takes a block's largest scores into the running maxima.
   *
   * @param largest the block's largest scores
   * @param max running maxima
   * @param reference receives what exponents are taken relative to
   * @param decay receives what becomes of sums of earlier blocks
   */
  static void rise(
      float[] largest, float[] max, float[] reference, float[] decay, int first, int rows) {
    if (rows < LANES) {
      for (int r = first; r < first + rows; r++) {
        float now = largest[r] > max[r] ? largest[r] : max[r];
        decay[r] = VectorAttention.decay(max[r], now);
        reference[r] = VectorAttention.reference(now);
        max[r] = now;
      }
      return;
    }
    int last = first + rows - LANES;
    FloatVector before = FloatVector.fromArray(FLOATS, max, first);
    for (int turn = first; turn < first + rows; turn += LANES) {
      int r = Math.min(turn, last);
      FloatVector next = FloatVector.fromArray(FLOATS, max, Math.min(r + LANES, last));
      FloatVector found = FloatVector.fromArray(FLOATS, largest, r);
      FloatVector now = before.blend(found, found.compare(VectorOperators.GT, before));
      FloatVector relative = reference(now);
      decay(before, now, relative).intoArray(decay, r);
      relative.intoArray(reference, r);
      now.intoArray(max, r);
      before = next;
    }
  }

  /** {@code sum = sum decay + block}. */
  static void add(float[] sum, float[] decay, float[] block, int first, int rows) {
    extend(sum, decay, block, 1, first, rows);
  }

  /**
   * Works decays out again, from copies of the maxima before, which become those of now. They only
   * rise: of a maximum that fell, the copy is another from then on.
   *
   * @param max maxima that the block was computed with
   * @param copy their copies, before the block; take them in
   * @param reference receives what exponents have to be taken relative to
   * @param decay receives what becomes of sums of earlier blocks
   * @param usedReference what was taken for the first
   * @param usedDecay what was taken for the second
   * @return whether any of these is another, or a maximum fell
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
    rise(max, copy, reference, decay, first, rows);
    int end = first + rows;
    return Arrays.mismatch(max, first, end, copy, first, end) >= 0
        || Arrays.mismatch(reference, first, end, usedReference, first, end) >= 0
        || Arrays.mismatch(decay, first, end, usedDecay, first, end) >= 0; // NaN equals NaN
  }

  /** {@code bound = bound decay + weights factor}. */
  static void extend(
      float[] bound, float[] decay, float[] weights, float factor, int first, int rows) {
    if (rows < LANES) {
      for (int r = first; r < first + rows; r++) {
        bound[r] = Math.fma(bound[r], decay[r], weights[r] * factor);
      }
      return;
    }
    int last = first + rows - LANES;
    FloatVector before = FloatVector.fromArray(FLOATS, bound, first);
    for (int turn = first; turn < first + rows; turn += LANES) {
      int r = Math.min(turn, last);
      FloatVector next = FloatVector.fromArray(FLOATS, bound, Math.min(r + LANES, last));
      FloatVector more = FloatVector.fromArray(FLOATS, weights, r).mul(factor);
      before.fma(FloatVector.fromArray(FLOATS, decay, r), more).intoArray(bound, r);
      before = next;
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
