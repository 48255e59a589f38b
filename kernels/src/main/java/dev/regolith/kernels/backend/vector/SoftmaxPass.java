package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.AttentionProblem;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Passes over a row of scores of one block: a few vectors that lie in L1 or L2. */
final class SoftmaxPass {
  private static final int SUM_LANES = AttentionProblem.SUM_LANES;

  private SoftmaxPass() {}

  /**
   * Scores to what the softmax sees: softcap, linear bias, mask.
   *
   * @param softcap 0 for none
   * @param leans whether {@code slope * distances} is added
   * @param adds whether {@code bias} is added; minus infinity hides
   */
  static void transform(
      MemorySegment scores,
      long at,
      int end,
      float softcap,
      boolean leans,
      float slope,
      float[] distances,
      boolean adds,
      float[] bias) {
    scores = known(scores);
    for (int j = 0; j < end; j += LANES) {
      FloatVector t = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
      if (softcap > 0) {
        t = VectorFunctions.tanh(t.div(softcap)).mul(softcap);
      }
      if (leans) {
        t =
            FloatVector.fromArray(FLOATS, distances, j)
                .fma(FloatVector.broadcast(FLOATS, slope), t);
      }
      if (adds) {
        FloatVector b = FloatVector.fromArray(FLOATS, bias, j);
        VectorMask<Float> hidden = b.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY);
        t = t.add(b).blend(b, hidden);
      }
      t.intoMemorySegment(scores, at + 4L * j, ORDER);
    }
  }

  /** Hides what lies before {@code from} and from {@code to} on. */
  static void clip(MemorySegment scores, long at, int from, int to, int end) {
    scores = known(scores);
    FloatVector hidden = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int j = 0; j < end; j += LANES) {
      if (j < from || j + LANES > to) {
        FloatVector t = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
        VectorMask<Float> inside = FLOATS.indexInRange(j - from, to - from);
        // Before the first key the index is negative, which counts as outside.
        hidden.blend(t, inside).intoMemorySegment(scores, at + 4L * j, ORDER);
      }
    }
  }

  /** The largest score that is a number; minus infinity if there is none. */
  static float max(MemorySegment scores, long at, int end) {
    scores = known(scores);
    FloatVector m = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    FloatVector n = m;
    for (int j = 0; j < end; j += 2 * LANES) {
      FloatVector x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
      m = m.blend(x, x.compare(VectorOperators.GT, m));
      x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * (j + LANES), ORDER);
      n = n.blend(x, x.compare(VectorOperators.GT, n));
    }
    return m.blend(n, n.compare(VectorOperators.GT, m)).reduceLanes(VectorOperators.MAX);
  }

  /**
   * Weights of a row: {@code exp(score - reference)}.
   *
   * @param lanes room for {@link AttentionProblem#SUM_LANES} floats
   * @return their sum, in the canonical order
   */
  static float weigh(
      MemorySegment scores,
      long at,
      int end,
      float reference,
      float[] weights,
      int to,
      float[] lanes) {
    scores = known(scores);
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    for (int j = 0; j < end; j += SUM_LANES) {
      s0 = s0.add(weigh(scores, at, j, reference, weights, to));
      if (LANES < SUM_LANES) {
        s1 = s1.add(weigh(scores, at, j + LANES, reference, weights, to));
      }
      if (2 * LANES < SUM_LANES) {
        s2 = s2.add(weigh(scores, at, j + 2 * LANES, reference, weights, to));
        s3 = s3.add(weigh(scores, at, j + 3 * LANES, reference, weights, to));
      }
    }
    // The halving of sixteen lanes, as far as it adds whole vectors.
    if (2 * LANES < SUM_LANES) {
      s0 = s0.add(s2);
      s1 = s1.add(s3);
    }
    if (LANES < SUM_LANES) {
      s0 = s0.add(s1);
    }
    s0.intoArray(lanes, 0);
    for (int half = Math.min(LANES, SUM_LANES) / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] = lanes[i] + lanes[i + half];
      }
    }
    return lanes[0];
  }

  private static FloatVector weigh(
      MemorySegment scores, long at, int j, float reference, float[] weights, int to) {
    FloatVector x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
    FloatVector weight = VectorFunctions.expOfModerate(x.sub(reference));
    weight.intoArray(weights, to + j);
    return weight;
  }

  /** Whether floats are all finite: zero times anything else is NaN. */
  static boolean isFinite(MemorySegment memory, long offset, int floats) {
    memory = known(memory);
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector sum = zero;
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      sum = FloatVector.fromMemorySegment(FLOATS, memory, offset + 4L * i, ORDER).fma(zero, sum);
    }
    boolean finite = !sum.test(VectorOperators.IS_NAN).anyTrue();
    for (int i = full; i < floats; i++) {
      finite &= Float.isFinite(memory.get(ValueLayout.JAVA_FLOAT, offset + 4L * i));
    }
    return finite;
  }
}
