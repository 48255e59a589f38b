package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.function.Exponential;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;

/** Passes over a row of scores of one block: a few vectors that lie in L1 or L2. */
final class SoftmaxPass {
  private static final int SUM_LANES = AttentionProblem.SUM_LANES;

  private SoftmaxPass() {}

  /**
   * Scores to what the softmax sees: softcap, linear bias, mask; hidden before {@code from} and
   * from {@code to} on.
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
      float[] bias,
      int from,
      int to,
      MemorySegment target,
      long targetAt) {
    scores = known(scores);
    target = known(target);
    FloatVector hidden = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int j = 0; j < end; j += LANES) {
      FloatVector t = hidden;
      if (j + LANES > from && j < to) {
        t = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
        if (softcap > 0) {
          t = VectorFunctions.tanh(t.div(softcap)).mul(softcap);
        }
        if (leans) {
          FloatVector d = FloatVector.fromArray(FLOATS, distances, j);
          t = d.fma(FloatVector.broadcast(FLOATS, slope), t);
        }
        if (adds) {
          FloatVector b = FloatVector.fromArray(FLOATS, bias, j);
          t = t.add(b).blend(hidden, b.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
        }
        // Before the first key the index is negative, which counts as outside.
        t = hidden.blend(t, FLOATS.indexInRange(j - from, to - from));
      }
      t.intoMemorySegment(target, targetAt + 4L * j, ORDER);
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

  /**
   * Makes the weights of a row once more, and compares them with those in memory. From these it
   * adds up, in an order of its own, what {@link #weigh} added up from registers.
   *
   * @param sums a number for every weight
   * @param found receives the sum of the weights, and of the weights times {@code sums}
   * @return whether any bit differs; NaN equals NaN
   */
  static boolean weighAgain(
      MemorySegment scores,
      long at,
      int end,
      float reference,
      float[] weights,
      int from,
      float[] sums,
      double[] found) {
    scores = known(scores);
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector t0 = s0;
    FloatVector t1 = s0;
    IntVector differences = IntVector.zero(INTS);
    for (int j = 0; j < end; j += 2 * LANES) {
      FloatVector x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
      FloatVector again = VectorFunctions.expOfModerate(x.sub(reference));
      FloatVector weight = FloatVector.fromArray(FLOATS, weights, from + j);
      s0 = s0.add(weight);
      t0 = weight.fma(FloatVector.fromArray(FLOATS, sums, j), t0);
      differences =
          differences.or(
              again.reinterpretAsInts().lanewise(VectorOperators.XOR, weight.reinterpretAsInts()));
      int k = j + LANES;
      x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * k, ORDER);
      again = VectorFunctions.expOfModerate(x.sub(reference));
      weight = FloatVector.fromArray(FLOATS, weights, from + k);
      s1 = s1.add(weight);
      t1 = weight.fma(FloatVector.fromArray(FLOATS, sums, k), t1);
      differences =
          differences.or(
              again.reinterpretAsInts().lanewise(VectorOperators.XOR, weight.reinterpretAsInts()));
    }
    found[0] = s0.add(s1).reduceLanes(VectorOperators.ADD);
    found[1] = t0.add(t1).reduceLanes(VectorOperators.ADD);
    return differences.reduceLanes(VectorOperators.OR) != 0
        && differ(scores, at, end, reference, weights, from);
  }

  private static boolean differ(
      MemorySegment scores, long at, int end, float reference, float[] weights, int from) {
    boolean differ = false;
    for (int j = 0; j < end; j++) {
      float again = Exponential.of(scores.get(ValueLayout.JAVA_FLOAT, at + 4L * j) - reference);
      differ |= Float.floatToIntBits(again) != Float.floatToIntBits(weights[from + j]);
    }
    return differ;
  }

  /** Whether rows of floats differ in any bit; NaN equals NaN. */
  static boolean differ(MemorySegment x, long xAt, MemorySegment y, long yAt, int floats) {
    boolean differ = false;
    for (int j = 0; j < floats; j++) {
      int one = Float.floatToIntBits(x.get(ValueLayout.JAVA_FLOAT, xAt + 4L * j));
      int other = Float.floatToIntBits(y.get(ValueLayout.JAVA_FLOAT, yAt + 4L * j));
      differ |= one != other;
    }
    return differ;
  }

  /**
   * Reads a row of scores after its last use: subtracts it from its digest.
   *
   * @param signs place of the first column's sign
   * @return its sum with signs
   */
  static double survey(
      MemorySegment scores, long at, int columns, int signs, long[] digests, int digest) {
    scores = known(scores);
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    for (int j = 0; j < columns; j += 2 * LANES) {
      FloatVector x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * j, ORDER);
      s0 = x.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs + j), s0);
      words = words.sub(x.reinterpretAsLongs());
      x = FloatVector.fromMemorySegment(FLOATS, scores, at + 4L * (j + LANES), ORDER);
      s1 = x.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs + j + LANES), s1);
      words = words.sub(x.reinterpretAsLongs());
    }
    words.intoArray(digests, digest);
    return s0.add(s1).reduceLanes(VectorOperators.ADD);
  }

  /** Inner product in float32 lanes; not in canonical order. */
  static double dot(float[] x, int at, MemorySegment y, long offset, int floats) {
    y = known(y);
    FloatVector sum = FloatVector.zero(FLOATS);
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      sum =
          FloatVector.fromArray(FLOATS, x, at + i)
              .fma(FloatVector.fromMemorySegment(FLOATS, y, offset + 4L * i, ORDER), sum);
    }
    double result = sum.reduceLanes(VectorOperators.ADD);
    for (int i = full; i < floats; i++) {
      result += (double) x[at + i] * y.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
    }
    return result;
  }

  /** Sum of squares. */
  static double squares(float[] x, int at, int floats) {
    double sum = 0;
    for (int i = 0; i < floats; i++) {
      sum += (double) x[at + i] * x[at + i];
    }
    return sum;
  }

  /** Sum of squares. */
  static double squares(MemorySegment x, long offset, int floats) {
    double sum = 0;
    for (int i = 0; i < floats; i++) {
      double y = x.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
      sum += y * y;
    }
    return sum;
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
