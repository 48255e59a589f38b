package dev.regolith.kernels.backend.scalar;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.function.LogSumExp;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Attention in plain Java, a row at a time: the canonical order of docs/numerics.md, and nothing
 * else. The reference twin of the fast backends, and the diverse path of the guard.
 */
final class ScalarAttention {
  private static final int LANES = AttentionProblem.SUM_LANES;

  /** A row in progress. */
  static final class Buffers {
    final float[] query = new float[AttentionProblem.MAX_DEPTH];
    final float[] scores = new float[AttentionProblem.BLOCK];
    final float[] lanes = new float[LANES];
    final float[] span = new float[AttentionProblem.MAX_COLUMNS];
    final float[] total = new float[AttentionProblem.MAX_COLUMNS];
    float spanMax;
    float spanSum;
    float totalMax;
    float totalSum;
  }

  private ScalarAttention() {}

  /** Computes every row, and, if asked, a second time, to be compared with what was stored. */
  static void run(AttentionProblem p, AttentionRegion region, Buffers w, AttentionSink sink) {
    region.stored = 0;
    region.logarithms = 0;
    for (int row = 0; row < region.rows(); row++) {
      int head = region.headOf(row);
      long query = region.queryOf(row);
      row(p, region.sequence, head, query, w);
      long at = p.result(region.sequence, head, query);
      for (int c = 0; c < p.columns; c++) {
        p.out.set(ValueLayout.JAVA_FLOAT, at + c * p.outStride, w.total[c]);
        region.stored += Integer.toUnsignedLong(Float.floatToRawIntBits(w.total[c]));
      }
      float logSum = LogSumExp.of(w.totalMax, w.totalSum);
      if (p.lse.address() != 0) {
        p.lse.set(ValueLayout.JAVA_FLOAT, p.lseAt(region.sequence, head, query), logSum);
        region.logarithms += Integer.toUnsignedLong(Float.floatToRawIntBits(logSum));
      }
      if (!p.verify) {
        continue;
      }
      row(p, region.sequence, head, query, w);
      boolean same =
          Float.floatToIntBits(LogSumExp.of(w.totalMax, w.totalSum))
              == Float.floatToIntBits(logSum);
      for (int c = 0; c < p.columns; c++) {
        float stored = p.out.get(ValueLayout.JAVA_FLOAT, at + c * p.outStride);
        same &= Float.floatToIntBits(stored) == Float.floatToIntBits(w.total[c]);
      }
      region.checks++;
      if (!same) {
        sink.suspect(p, region, Component.ARITHMETIC);
      }
    }
  }

  private static void row(AttentionProblem p, long sequence, int head, long query, Buffers w) {
    int kvHead = p.kvHeadOf(head);
    for (int i = 0; i < p.depth; i++) {
      float q = p.q.get(ValueLayout.JAVA_FLOAT, p.query(sequence, head, query) + i * p.qStride);
      w.query[i] = q * p.scale;
    }
    long from = p.visibility.from(sequence, query);
    long to = p.visibility.to(sequence, query);
    Arrays.fill(w.total, 0, p.columns, 0);
    w.totalMax = Float.NEGATIVE_INFINITY;
    w.totalSum = 0;
    long spanKeys = (long) AttentionProblem.SPAN * AttentionProblem.BLOCK;
    for (long start = from / spanKeys * spanKeys; start < to; start += spanKeys) {
      Arrays.fill(w.span, 0, p.columns, 0);
      w.spanMax = Float.NEGATIVE_INFINITY;
      w.spanSum = 0;
      long end = Math.min(to, start + spanKeys);
      for (long block = start; block < end; block += AttentionProblem.BLOCK) {
        if (block + AttentionProblem.BLOCK > from) {
          block(p, sequence, kvHead, head, query, block, from, to, w);
        }
      }
      merge(p.columns, w);
    }
    for (int c = 0; c < p.columns; c++) {
      w.total[c] = w.totalSum == 0 ? 0 : w.total[c] / w.totalSum + 0f;
    }
  }

  private static void block(
      AttentionProblem p,
      long sequence,
      int kvHead,
      int head,
      long query,
      long start,
      long from,
      long to,
      Buffers w) {
    Visibility visibility = p.visibility;
    int first = (int) Math.max(0, from - start);
    int last = (int) Math.min(AttentionProblem.BLOCK, to - start);
    Arrays.fill(w.scores, Float.NEGATIVE_INFINITY);
    float max = w.spanMax;
    for (int j = first; j < last; j++) {
      long key = start + j;
      if (visibility.hides(sequence, head, query, key)) {
        continue;
      }
      float score = 0;
      for (int i = 0; i < p.depth; i++) {
        score = Math.fma(w.query[i], p.key(sequence, kvHead, key, i), score);
      }
      w.scores[j] = visibility.transformed(score, sequence, head, query, key);
      max = w.scores[j] > max ? w.scores[j] : max;
    }
    float reference = max == Float.NEGATIVE_INFINITY ? 0 : max;
    float decay = Exponential.of(w.spanMax - reference);
    Arrays.fill(w.lanes, 0);
    for (int c = 0; c < p.columns; c++) {
      w.span[c] = w.span[c] * decay;
    }
    for (int j = 0; j < AttentionProblem.BLOCK; j++) {
      float weight = Exponential.of(w.scores[j] - reference);
      w.lanes[j % LANES] = w.lanes[j % LANES] + weight;
      long key = start + j;
      if (j < first || j >= last || visibility.hides(sequence, head, query, key)) {
        continue;
      }
      for (int c = 0; c < p.columns; c++) {
        w.span[c] = Math.fma(weight, p.value(sequence, kvHead, key, c), w.span[c]);
      }
    }
    w.spanSum = Math.fma(w.spanSum, decay, halve(w.lanes));
    w.spanMax = max;
  }

  /** Adds lanes up in pairs that lie half of them apart. */
  private static float halve(float[] lanes) {
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] = lanes[i] + lanes[i + half];
      }
    }
    return lanes[0];
  }

  private static void merge(int columns, Buffers w) {
    float max = w.spanMax > w.totalMax ? w.spanMax : w.totalMax;
    float reference = max == Float.NEGATIVE_INFINITY ? 0 : max;
    float before = Exponential.of(w.totalMax - reference);
    float now = Exponential.of(w.spanMax - reference);
    w.totalSum = Math.fma(w.totalSum, before, w.spanSum * now);
    for (int c = 0; c < columns; c++) {
      w.total[c] = Math.fma(w.total[c], before, w.span[c] * now);
    }
    w.totalMax = max;
  }
}
