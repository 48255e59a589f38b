package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.inject.AttentionWorkload.Shape;
import java.util.Arrays;

/**
 * What an attention must be: the bits of the scalar loop that defines it, and the envelope that any
 * correct float32 attention in that order obeys. The envelope is derived in docs/numerics.md
 * ("Envelope of attention"); it knows the order of operations and nothing of any check.
 *
 * <p>In short, with {@code u = 2^-24} and {@code gamma_n = n u / (1 - n u)}:
 *
 * <ul>
 *   <li>a score errs by {@code e_j <= gamma_(d+2) sum |scale q k|}, and by the roundings of
 *       softcap, slopes and mask;
 *   <li>the arguments of all exponentials on a weight's way telescope to {@code score - maximum},
 *       and none is positive, so that their roundings come to {@code u (maximum - score)}; each of
 *       {@code X} exponentials errs by 0.9 ulp, which is at most {@code 1.8 u}: a weight errs by
 *       the factor {@code exp(e_j + u (maximum - score) + 1.8 X u)};
 *   <li>a sum of weighted values passes {@code gamma_(min(n, 1024) + 8 + spans)}, a sum of weights
 *       fewer;
 *   <li>numerator and denominator together, then one division.
 * </ul>
 */
final class AttentionTruth {
  private static final int BLOCK = 128;
  private static final int SPAN = 1024;
  private static final int LANES = 16;
  private static final double U = 0x1p-24;
  private static final double HALF_SUBNORMAL = 0x1p-150;

  /** An exponential that is not a normal number counts as zero. */
  private static final double FLUSHED = 0x1p-126;

  /** Of an exponential, relative: 0.9 units in the last place. */
  private static final double EXPONENTIAL = 1.8 * U;

  /** Softcap: a division, 1.4 units in the last place of the tangent, a multiplication. */
  private static final double SOFTCAP = (1 + 2.8 + 1) * U;

  /** What the double arithmetic of this class may add, relative. */
  private static final double DOUBLE = 0x1p-45;

  private final AttentionWorkload w;
  private final Shape shape;
  private final float[] bits;
  private final double[] exact;
  private final double[] envelope;

  // Of the row at work.
  private final boolean[] sees;
  private final float[] canonical;
  private final double[] scores;
  private final double[] errors;

  private AttentionTruth(AttentionWorkload workload) {
    w = workload;
    shape = w.shape();
    int rows = shape.batch() * shape.heads() * shape.queries();
    int size = w.resultSize() + (w.logSums() ? rows : 0);
    bits = new float[size];
    exact = new double[size];
    envelope = new double[size];
    sees = new boolean[shape.keys()];
    canonical = new float[shape.keys()];
    scores = new double[shape.keys()];
    errors = new double[shape.keys()];
  }

  /** The truth about an attention. */
  static Truth of(AttentionWorkload workload) {
    var truth = new AttentionTruth(workload);
    Shape shape = workload.shape();
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      for (int head = 0; head < shape.heads(); head++) {
        for (int query = 0; query < shape.queries(); query++) {
          truth.row(sequence, head, query);
        }
      }
    }
    return new Truth(truth.bits, truth.exact, truth.envelope);
  }

  private void row(int sequence, int head, int query) {
    for (int key = 0; key < shape.keys(); key++) {
      sees[key] = w.sees(sequence, query, key);
      if (sees[key]) {
        score(sequence, head, query, key);
      }
    }
    canonical(sequence, head, query);
    inDouble(sequence, head, query);
  }

  /** A score as the loop makes it, in double precision, and how far the first can be from that. */
  private void score(int sequence, int head, int query, int key) {
    int q = shape.query(sequence, head, query);
    int k = shape.key(sequence, shape.kvHead(head), key);
    float chain = 0;
    double sum = 0;
    double absolute = 0;
    double keys = 0;
    for (int i = 0; i < shape.depth(); i++) {
      float x = w.q()[q + i];
      float y = w.k()[k + i];
      chain = Math.fma(x * w.scale(), y, chain);
      double product = (double) x * w.scale() * y;
      sum += product;
      absolute += Math.abs(product);
      keys += Math.abs((double) y);
    }
    int roundings = shape.depth() + 2;
    double error = roundings * U / (1 - roundings * U) * absolute;
    error += HALF_SUBNORMAL * (keys + roundings);
    float cap = w.rules().softcap();
    if (cap > 0) {
      chain = cap * CanonicalFunctions.tanh(chain / cap);
      sum = cap * Math.tanh(sum / cap);
      error += SOFTCAP * (Math.abs(sum) + error) + HALF_SUBNORMAL * (2 * cap + 2);
    }
    float[] slopes = w.rules().slopes();
    if (slopes != null) {
      int distance = key - w.position(sequence, query);
      chain = Math.fma(slopes[head], (float) distance, chain);
      sum += (double) slopes[head] * distance;
      error += U * (Math.abs(sum) + error) + HALF_SUBNORMAL;
    }
    float[] mask = w.rules().mask();
    if (mask != null && !w.rules().booleanMask()) {
      float added = mask[query * shape.keys() + key];
      chain += added;
      sum += added;
      error += U * (Math.abs(sum) + error);
    }
    canonical[key] = chain;
    scores[key] = sum;
    errors[key] = error + DOUBLE * (absolute + Math.abs(sum));
  }

  /** The loop that defines the bits. */
  private void canonical(int sequence, int head, int query) {
    int columns = shape.depth();
    int kvHead = shape.kvHead(head);
    var total = new float[columns];
    float totalMax = Float.NEGATIVE_INFINITY;
    float totalSum = 0;
    var sum = new float[columns];
    var lanes = new float[LANES];
    for (int span = 0; span < shape.keys(); span += SPAN) {
      Arrays.fill(sum, 0);
      float max = Float.NEGATIVE_INFINITY;
      float weights = 0;
      int end = Math.min(shape.keys(), span + SPAN);
      for (int block = span; block < end; block += BLOCK) {
        int blockEnd = Math.min(end, block + BLOCK);
        float highest = max;
        for (int key = block; key < blockEnd; key++) {
          highest = sees[key] && canonical[key] > highest ? canonical[key] : highest;
        }
        float reference = reference(highest);
        float decay = CanonicalFunctions.exp(max - reference);
        for (int i = 0; i < columns; i++) {
          sum[i] *= decay;
        }
        Arrays.fill(lanes, 0);
        for (int key = block; key < blockEnd; key++) {
          if (sees[key]) {
            float weight = CanonicalFunctions.exp(canonical[key] - reference);
            lanes[key % LANES] += weight;
            int v = shape.key(sequence, kvHead, key);
            for (int i = 0; i < columns; i++) {
              sum[i] = Math.fma(weight, w.v()[v + i], sum[i]);
            }
          }
        }
        for (int half = LANES / 2; half > 0; half /= 2) {
          for (int lane = 0; lane < half; lane++) {
            lanes[lane] += lanes[lane + half];
          }
        }
        weights = Math.fma(weights, decay, lanes[0]);
        max = highest;
      }
      float highest = max > totalMax ? max : totalMax;
      float before = CanonicalFunctions.exp(totalMax - reference(highest));
      float now = CanonicalFunctions.exp(max - reference(highest));
      totalSum = Math.fma(totalSum, before, weights * now);
      for (int i = 0; i < columns; i++) {
        total[i] = Math.fma(total[i], before, sum[i] * now);
      }
      totalMax = highest;
    }
    for (int i = 0; i < columns; i++) {
      bits[w.result(sequence, head, query, i)] = totalSum == 0 ? 0 : total[i] / totalSum + 0f;
    }
    if (w.logSums()) {
      bits[w.resultSize() + w.logSum(sequence, head, query)] =
          totalSum == 0 ? Float.NEGATIVE_INFINITY : (float) (totalMax + StrictMath.log(totalSum));
    }
  }

  private static float reference(float max) {
    return max == Float.NEGATIVE_INFINITY ? 0 : max;
  }

  /** The same in double precision, and the envelope. */
  private void inDouble(int sequence, int head, int query) {
    int columns = shape.depth();
    double max = Double.NEGATIVE_INFINITY;
    double largestError = 0;
    int seen = 0;
    for (int key = 0; key < shape.keys(); key++) {
      if (sees[key]) {
        seen++;
        max = Math.max(max, scores[key]);
        largestError = Math.max(largestError, errors[key]);
      }
    }
    int spans = Math.ceilDiv(shape.keys(), SPAN);
    int blocks = Math.min(Math.ceilDiv(shape.keys(), BLOCK), SPAN / BLOCK);
    // Its own, a decay for each later block of the span, and one for each span.
    int exponentials = blocks + spans;
    double ofWeights = gamma(BLOCK / LANES + 4 + blocks + 1 + spans);
    double ofValues = gamma(Math.min(seen, SPAN) + blocks + 1 + spans);
    double flushed = 2 * exponentials * FLUSHED;

    double sum = 0;
    double sumError = 0;
    var out = new double[columns];
    var error = new double[columns];
    for (int key = 0; key < shape.keys(); key++) {
      if (!sees[key]) {
        continue;
      }
      double below = max - scores[key];
      double moved = errors[key] + U * (below + largestError + errors[key]);
      double factor = Math.expm1(moved + exponentials * EXPONENTIAL * (1 + U));
      double weight = Math.exp(-below);
      sum += weight;
      sumError += weight * (factor + (1 + factor) * ofWeights + DOUBLE) + flushed;
      int v = shape.key(sequence, shape.kvHead(head), key);
      for (int i = 0; i < columns; i++) {
        double value = w.v()[v + i];
        double size = Math.abs(value);
        out[i] += weight * value;
        error[i] +=
            weight * size * (factor + (1 + factor) * ofValues + DOUBLE)
                + flushed * size
                + 4 * HALF_SUBNORMAL;
      }
    }
    for (int i = 0; i < columns && seen > 0; i++) {
      int at = w.result(sequence, head, query, i);
      exact[at] = out[i] / sum;
      double before = (error[i] + Math.abs(exact[at]) * sumError) / (sum - sumError);
      envelope[at] =
          sumError < sum
              ? before + U * (Math.abs(exact[at]) + before) + HALF_SUBNORMAL
              : Double.POSITIVE_INFINITY;
    }
    if (w.logSums()) {
      int at = w.resultSize() + w.logSum(sequence, head, query);
      exact[at] = seen == 0 ? Double.NEGATIVE_INFINITY : max + Math.log(sum);
      double before = -Math.log1p(-Math.min(1, sumError / sum));
      double rounded = U * (Math.abs(exact[at]) + before);
      envelope[at] = seen == 0 ? 0 : before + rounded + DOUBLE * (1 + Math.abs(max));
    }
  }

  private static double gamma(int roundings) {
    return roundings * U / (1 - roundings * U);
  }
}
