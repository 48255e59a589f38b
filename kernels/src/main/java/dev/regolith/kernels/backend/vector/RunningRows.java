package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import dev.regolith.kernels.function.Exponential;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What attention keeps of every row from block to block: running maximum, sum of weights, and what
 * checks expect. A vector of rows at a time, without branches: whether a maximum rises is a matter
 * of chance. The last vector ends with the last row, so that it may overlap the one before; what is
 * overwritten of it is read first.
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
    int last = first + rows - LANES;
    if (last >= first) {
      FloatVector beforeLast = FloatVector.fromArray(FLOATS, max, last);
      FloatVector foundLast = FloatVector.fromArray(FLOATS, reference, last);
      for (int r = first; r < last; r += LANES) {
        FloatVector before = FloatVector.fromArray(FLOATS, max, r);
        rise(before, FloatVector.fromArray(FLOATS, reference, r), reference, max, decay, r);
      }
      rise(beforeLast, foundLast, reference, max, decay, last);
      return;
    }
    for (int r = first; r < first + rows; r++) {
      float before = max[r];
      float now = reference[r] > before ? reference[r] : before;
      decay[r] = VectorAttention.decay(before, now);
      max[r] = now;
      reference[r] = VectorAttention.reference(now);
    }
  }

  private static void rise(
      FloatVector before, FloatVector found, float[] reference, float[] max, float[] decay, int r) {
    FloatVector now = before.blend(found, found.compare(VectorOperators.GT, before));
    FloatVector relative = reference(now);
    decay(before, now, relative).intoArray(decay, r);
    now.intoArray(max, r);
    relative.intoArray(reference, r);
  }

  /**
   * Takes a span's largest scores into those of all spans before.
   *
   * @param max largest scores of all spans before; receives those of all
   * @param span the span's largest scores
   * @param before receives what becomes of sums of the spans before
   * @param now receives what becomes of the span's sums
   */
  static void merge(float[] max, float[] span, float[] before, float[] now, int first, int rows) {
    int last = first + rows - LANES;
    if (last >= first) {
      FloatVector maxOfLast = FloatVector.fromArray(FLOATS, max, last);
      for (int r = first; r < last; r += LANES) {
        merge(FloatVector.fromArray(FLOATS, max, r), max, span, before, now, r);
      }
      merge(maxOfLast, max, span, before, now, last);
      return;
    }
    for (int r = first; r < first + rows; r++) {
      float largest = span[r] > max[r] ? span[r] : max[r];
      before[r] = VectorAttention.decay(max[r], largest);
      now[r] = Exponential.of(span[r] - VectorAttention.reference(largest));
      max[r] = largest;
    }
  }

  private static void merge(
      FloatVector max, float[] maxima, float[] span, float[] before, float[] now, int r) {
    FloatVector found = FloatVector.fromArray(FLOATS, span, r);
    FloatVector largest = max.blend(found, found.compare(VectorOperators.GT, max));
    FloatVector relative = reference(largest);
    decay(max, largest, relative).intoArray(before, r);
    VectorFunctions.expOfModerate(found.sub(relative)).intoArray(now, r);
    largest.intoArray(maxima, r);
  }

  /** {@code sum = sum decay + block}. */
  static void add(float[] sum, float[] decay, float[] block, int first, int rows) {
    extend(sum, decay, block, 1, first, rows);
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
    int last = first + rows - LANES;
    if (last >= first) {
      FloatVector beforeLast = FloatVector.fromArray(FLOATS, copy, last);
      for (int r = first; r < last; r += LANES) {
        FloatVector before = FloatVector.fromArray(FLOATS, copy, r);
        follow(before, max, copy, reference, decay, r);
      }
      follow(beforeLast, max, copy, reference, decay, last);
    } else {
      for (int r = first; r < first + rows; r++) {
        decay[r] = VectorAttention.decay(copy[r], max[r]);
        reference[r] = VectorAttention.reference(max[r]);
        copy[r] = max[r];
      }
    }
    int end = first + rows;
    return Arrays.mismatch(reference, first, end, usedReference, first, end) >= 0
        || Arrays.mismatch(decay, first, end, usedDecay, first, end) >= 0; // NaN equals NaN
  }

  private static void follow(
      FloatVector before, float[] max, float[] copy, float[] reference, float[] decay, int r) {
    FloatVector now = FloatVector.fromArray(FLOATS, max, r);
    FloatVector relative = reference(now);
    decay(before, now, relative).intoArray(decay, r);
    relative.intoArray(reference, r);
    now.intoArray(copy, r);
  }

  /** {@code bound = bound decay + weights factor}. */
  static void extend(
      float[] bound, float[] decay, float[] weights, float factor, int first, int rows) {
    int last = first + rows - LANES;
    if (last >= first) {
      FloatVector beforeLast = FloatVector.fromArray(FLOATS, bound, last);
      for (int r = first; r < last; r += LANES) {
        FloatVector before = FloatVector.fromArray(FLOATS, bound, r);
        extend(before, bound, decay, weights, factor, r);
      }
      extend(beforeLast, bound, decay, weights, factor, last);
      return;
    }
    for (int r = first; r < first + rows; r++) {
      bound[r] = Math.fma(bound[r], decay[r], weights[r] * factor);
    }
  }

  private static void extend(
      FloatVector before, float[] bound, float[] decay, float[] weights, float factor, int r) {
    FloatVector more = FloatVector.fromArray(FLOATS, weights, r).mul(factor);
    before.fma(FloatVector.fromArray(FLOATS, decay, r), more).intoArray(bound, r);
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
