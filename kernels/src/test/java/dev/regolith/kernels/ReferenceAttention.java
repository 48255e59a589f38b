package dev.regolith.kernels;

import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.function.HyperbolicTangent;
import java.util.ArrayList;

/** What attention should give: bit for bit, by the loop in docs/numerics.md; and in double. */
final class ReferenceAttention {
  private static final int BLOCK = 128;
  private static final int SPAN = 1024;
  private static final double U = 0x1p-24;

  /** A row of the result. */
  @SuppressWarnings("ArrayRecordComponent")
  record Row(float[] out, float lse) {}

  /** A row in double precision, and how far from it a correct float32 result can be. */
  @SuppressWarnings("ArrayRecordComponent")
  record Exact(double[] out, double[] envelope, double lse, double lseEnvelope) {}

  private ReferenceAttention() {}

  static Row canonical(AttentionCase c, int b, int h, int i) {
    int kv = h / (c.heads / c.kvHeads);
    var total = new float[c.columns];
    float totalMax = Float.NEGATIVE_INFINITY;
    float totalSum = 0;
    for (int span = 0; span < c.keys; span += SPAN) {
      var sum = new float[c.columns];
      float max = Float.NEGATIVE_INFINITY;
      float weights = 0;
      for (int block = span; block < Math.min(c.keys, span + SPAN); block += BLOCK) {
        var seen = new ArrayList<Integer>();
        var scores = new float[BLOCK];
        float highest = max;
        for (int j = block; j < Math.min(c.keys, block + BLOCK); j++) {
          if (c.sees(b, h, i, j)) {
            seen.add(j);
            scores[j - block] = score(c, b, h, kv, i, j);
            highest = scores[j - block] > highest ? scores[j - block] : highest;
          }
        }
        float reference = highest == Float.NEGATIVE_INFINITY ? 0 : highest;
        float decay = Exponential.of(max - reference);
        var lanes = new float[16];
        for (int x = 0; x < c.columns; x++) {
          sum[x] = sum[x] * decay;
        }
        for (int j : seen) {
          float p = Exponential.of(scores[j - block] - reference);
          lanes[j % 16] += p;
          for (int x = 0; x < c.columns; x++) {
            sum[x] = Math.fma(p, c.v[b][kv][j][x], sum[x]);
          }
        }
        for (int half = 8; half > 0; half /= 2) {
          for (int l = 0; l < half; l++) {
            lanes[l] += lanes[l + half];
          }
        }
        weights = Math.fma(weights, decay, lanes[0]);
        max = highest;
      }
      float highest = max > totalMax ? max : totalMax;
      float reference = highest == Float.NEGATIVE_INFINITY ? 0 : highest;
      float before = Exponential.of(totalMax - reference);
      float now = Exponential.of(max - reference);
      totalSum = Math.fma(totalSum, before, weights * now);
      for (int x = 0; x < c.columns; x++) {
        total[x] = Math.fma(total[x], before, sum[x] * now);
      }
      totalMax = highest;
    }
    var out = new float[c.columns];
    for (int x = 0; x < c.columns; x++) {
      out[x] = totalSum == 0 ? 0 : total[x] / totalSum + 0f;
    }
    float lse =
        totalSum == 0 ? Float.NEGATIVE_INFINITY : (float) (totalMax + StrictMath.log(totalSum));
    return new Row(out, lse);
  }

  private static float score(AttentionCase c, int b, int h, int kv, int i, int j) {
    float s = 0;
    for (int x = 0; x < c.depth; x++) {
      s = Math.fma(c.q[b][h][i][x] * c.scale, c.k[b][kv][j][x], s);
    }
    if (c.softcap > 0) {
      s = c.softcap * HyperbolicTangent.of(s / c.softcap);
    }
    if (c.slopes != null) {
      s = Math.fma(c.slopes[h], (float) (j - c.position(b, i)), s);
    }
    return c.mask != null && !c.maskIsBoolean ? s + c.mask[b][h][i][j] : s;
  }

  /**
   * The envelope: a score errs by the rounding of its chain and of what is added to it; a weight by
   * that, by the rounding of its exponent and by the exponential; sums of weights and of weighted
   * values by their chains, and by a decay for every block.
   */
  static Exact exact(AttentionCase c, int b, int h, int i) {
    int kv = h / (c.heads / c.kvHeads);
    var scores = new double[c.keys];
    var errors = new double[c.keys];
    double max = Double.NEGATIVE_INFINITY;
    double least = Double.POSITIVE_INFINITY;
    int seen = 0;
    for (int j = 0; j < c.keys; j++) {
      if (!c.sees(b, h, i, j)) {
        continue;
      }
      seen++;
      double s = 0;
      double size = 0;
      for (int x = 0; x < c.depth; x++) {
        double product = (double) c.q[b][h][i][x] * c.scale * c.k[b][kv][j][x];
        s += product;
        size += Math.abs(product);
      }
      double error = (c.depth + 2) * U * size;
      if (c.softcap > 0) {
        s = c.softcap * Math.tanh(s / c.softcap);
        error += 6 * U * Math.abs(s);
      }
      if (c.slopes != null) {
        s += (double) c.slopes[h] * (j - c.position(b, i));
        error += U * Math.abs(s);
      }
      if (c.mask != null) {
        s += c.mask[b][h][i][j];
        error += U * Math.abs(s);
      }
      scores[j] = s;
      errors[j] = error;
      max = Math.max(max, s);
      least = Math.min(least, s);
    }
    double sum = 0;
    double weighedError = 0;
    var out = new double[c.columns];
    var size = new double[c.columns];
    var moved = new double[c.columns];
    double blocks = Math.ceilDiv(c.keys, BLOCK) + Math.ceilDiv(c.keys, SPAN);
    for (int j = 0; j < c.keys; j++) {
      if (!c.sees(b, h, i, j)) {
        continue;
      }
      double p = Math.exp(scores[j] - max);
      double error =
          1.01 * errors[j] + U * (4 + 2 * (max - scores[j])) + U * (4 * blocks + (max - least));
      sum += p;
      weighedError += p * error;
      for (int x = 0; x < c.columns; x++) {
        out[x] += p * c.v[b][kv][j][x];
        size[x] += p * Math.abs(c.v[b][kv][j][x]);
        moved[x] += p * error * Math.abs(c.v[b][kv][j][x]);
      }
    }
    var envelope = new double[c.columns];
    for (int x = 0; x < c.columns && seen > 0; x++) {
      out[x] /= sum;
      envelope[x] =
          1.01
              * (moved[x] / sum
                  + weighedError / sum * Math.abs(out[x])
                  + (2.0 * Math.min(seen, SPAN) + 40) * U * size[x] / sum
                  + 0x1p-120);
    }
    double lse = seen == 0 ? Double.NEGATIVE_INFINITY : max + Math.log(sum);
    return new Exact(
        out,
        envelope,
        lse,
        seen == 0
            ? 0
            : 1.01 * (weighedError / sum + 60 * U) + 2 * U * Math.abs(lse) + errors(errors));
  }

  private static double errors(double[] errors) {
    double worst = 0;
    for (double error : errors) {
      worst = Math.max(worst, error);
    }
    return worst;
  }
}
