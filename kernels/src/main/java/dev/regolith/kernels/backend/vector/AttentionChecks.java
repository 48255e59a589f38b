package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.function.LogSumExp;
import dev.regolith.kernels.probe.Probe;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Verifies what {@link VectorAttention} did to a region, block by block while it is hot. No check
 * shares the value it checks; docs/numerics.md lists, for every intermediate, which one sees it.
 *
 * <ul>
 *   <li>Scores: their sum with signs over the block, against query times the block's check vector;
 *       and a digest, from the registers they were stored from.
 *   <li>Masks, softcap, biases, decays: computed again and compared bit by bit, after the last use
 *       of what was stored.
 *   <li>Exponentials: four at a time, their product against the exponential of a sum; and a digest.
 *       Where that says nothing, they are computed again, too.
 *   <li>Running maxima and sums: a second copy. Sums of weights: also a second sum, over the
 *       weights in memory.
 *   <li>Weighted sums of values: digests from block to block, and at the end the signed sum of a
 *       row of the result against the weights times the signed sums of values.
 * </ul>
 */
final class AttentionChecks {
  private static final int MAX_ROWS = AttentionRegion.MAX_ROWS;
  private static final int BLOCK = AttentionProblem.BLOCK;
  private static final int GRAINS = BLOCK / Tolerance.GRAIN;

  // Roundings of float32 lanes that add up a block, in units of what they add up.
  private static final int SCORE_LANES = Tolerance.SHOWN_WEIGHT + BLOCK + 16;
  private static final int WEIGHT_LANES = 40;
  private static final double BLOCK_LANES = BLOCK / LANES + 4;
  private static final double SPAN_ROUNDINGS = WEIGHT_LANES + AttentionProblem.SPAN * BLOCK_LANES;

  /** The division, merges, and adding the result up in lanes. */
  private static final int RESULT_ROUNDINGS = 8 + Tolerance.SHOWN_WEIGHT;

  /** More than what bounds lose that are kept in float32, over the longest rows. */
  private static final double SLACK = 1 + 0x1p-6;

  /** Of a row, over a span or all spans before: what its sums must come to. */
  private static final class Expectation {
    /** Largest score. */
    final float[] max = new float[MAX_ROWS];

    /** Sum of weights. */
    final double[] sum = new double[MAX_ROWS];

    /** Signed sum of the weighted values. */
    final double[] signed = new double[MAX_ROWS];

    /** Sum of weights times norms of values: no partial sum of a row is longer. */
    final float[] length = new float[MAX_ROWS];

    /** Sum of weights times signed sums of values, all positive. */
    final float[] terms = new float[MAX_ROWS];

    void clear(int rows) {
      Arrays.fill(max, 0, rows, Float.NEGATIVE_INFINITY);
      Arrays.fill(sum, 0, rows, 0);
      Arrays.fill(signed, 0, rows, 0);
      Arrays.fill(length, 0, rows, 0);
      Arrays.fill(terms, 0, rows, 0);
    }

    /** {@code this = this before + other now}. */
    void merge(int r, float before, Expectation other, float now) {
      sum[r] = sum[r] * before + other.sum[r] * now;
      signed[r] = signed[r] * before + other.signed[r] * now;
      length[r] = length[r] * before + other.length[r] * now;
      terms[r] = terms[r] * before + other.terms[r] * now;
    }
  }

  private final Expectation span = new Expectation();

  // The span's sums of weights, and of weights times signed sums of values, in lanes.
  private final float[] weightSums = new float[MAX_ROWS * LANES];
  private final float[] products = new float[MAX_ROWS * LANES];

  /** What the block's scores, with signs, are less than predicted, in lanes. */
  private final float[] residuals = new float[MAX_ROWS * LANES];

  /** Of the band: whether weights do not fit their scores; has signs, then. */
  private final int[] misfits = new int[LANES];

  /** Of such a band: its weights, made again. */
  private final SoftmaxPass.Again again = new SoftmaxPass.Again();

  private final Expectation total = new Expectation();

  /** Per row: length of its scaled query. */
  private final double[] queryLength = new double[MAX_ROWS];

  /** Per band: blocks that it went through. */
  private final int[] blocks = new int[AttentionBuffers.MAX_BANDS];

  /** Spans that were taken into the total. */
  private int spans;

  /** Signed sums of the block's values. */
  private final float[] valueSums = new float[BLOCK];

  // Of the block: what follows from its maxima, as read for the last time.
  private final float[] reference = new float[MAX_ROWS];
  private final float[] decay = new float[MAX_ROWS];

  // Evidence of rows.
  private final double[] predicted = new double[MAX_ROWS];
  private final double[] shown = new double[MAX_ROWS];
  private final double[] tolerance = new double[MAX_ROWS];

  // Of the block: tolerance of its scores, per length of the query, and what underflow adds;
  // longest value, largest sum of a value.
  private double scoreTolerance;
  private double scoreUnderflow;
  private float valueLength;
  private float largestValueSum;

  /** Starts a region whose queries were copied. */
  void open(AttentionProblem p, AttentionBuffers w) {
    int rows = w.row[w.bands];
    clearSpan(rows);
    total.clear(rows);
    for (int band = 0; band < w.bands; band++) {
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        double squares = VectorSums.squares(w.queries[band], w.inBand(band, r), p.depth);
        queryLength[r] = Math.sqrt(squares);
      }
    }
    Arrays.fill(blocks, 0, w.bands, 0);
    spans = 0;
  }

  /** What of a block's keys and values tolerances and predictions are made of. */
  void openBlock(AttentionProblem p, AttentionRegion region, long block) {
    long matrix = p.matrix(region.sequence, region.kvHead);
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    long record = keys.recordOffset(matrix, p.keyBlock(block / BLOCK), 0);
    double vectorSquares = VectorSums.squares(keys.records(), record, keys.vectorLength());
    double keySquares = 0;
    for (int grain = 0; grain * Tolerance.GRAIN < p.depth; grain++) {
      int rest = p.depth - grain * Tolerance.GRAIN;
      double squares = energy(keys, record, grain, rest);
      keySquares += squares * Math.min(rest, Tolerance.GRAIN);
    }
    // No partial sum of a score is longer than query times key (Cauchy and Schwarz).
    double roundings = (p.depth + SCORE_LANES) * keySquares + p.depth * vectorSquares;
    scoreTolerance = Tolerance.SIGMAS * Math.sqrt(Tolerance.ROUNDING_VARIANCE * roundings);
    scoreUnderflow = Tolerance.UNDERFLOW * (BLOCK + 1) * p.depth;
    PackedB values = p.values(region.sequence, block / BLOCK);
    int kBlock = p.valueBlock(block / BLOCK);
    int step = p.valueStep(block / BLOCK);
    int count = Math.min(BLOCK, values.depthOf(kBlock) - step);
    double lengths = 0;
    Arrays.fill(valueSums, count, BLOCK, 0);
    for (long across = 0; across < values.blocks(); across++) {
      long vector = values.recordOffset(matrix, across, kBlock);
      if (across == 0) {
        MemorySegment.copy(
            values.records(), ValueLayout.JAVA_FLOAT, vector + 4L * step, valueSums, 0, count);
      }
      for (int j = 0; across > 0 && j < count; j++) {
        valueSums[j] += values.records().get(ValueLayout.JAVA_FLOAT, vector + 4L * (step + j));
      }
      double longest = 0;
      for (int i = 0; i < GRAINS && i * Tolerance.GRAIN < count; i++) {
        int grain = step / Tolerance.GRAIN + i;
        long left = values.depth() - (long) kBlock * PackedB.DEPTH - (long) grain * Tolerance.GRAIN;
        longest = Math.max(longest, energy(values, vector, grain, (double) left));
      }
      lengths += longest;
    }
    valueLength = (float) (SLACK * Math.sqrt(lengths));
    largestValueSum = (float) (SLACK * VectorSums.largest(valueSums, BLOCK));
  }

  /** At least the squares of any step of a grain, from its tolerance coefficient. */
  private static double energy(PackedB b, long record, int grain, double stepsLeft) {
    double coefficient =
        b.records().get(ValueLayout.JAVA_DOUBLE, record + b.coefficients() + 8L * grain);
    return coefficient / (stepsLeft + Tolerance.SHOWN_WEIGHT + Tolerance.VECTOR_WEIGHT);
  }

  /** Verifies a band's part of a block, after its last use. */
  void band(
      AttentionProblem p,
      AttentionRegion region,
      int band,
      long block,
      AttentionBuffers w,
      AttentionSink sink) {
    int first = w.row[band];
    int rows = w.rowsOf(band);
    if (RunningRows.follow(w.max, span.max, reference, decay, w.reference, w.decay, first, rows)) {
      sink.suspect(p, region, Component.RUNNING_ROW);
    }
    if (!areScoresIntact(p, region, band, block, w)) {
      sink.suspect(p, region, Component.SCORES);
    }
    if (!areWeightsIntact(p, band, block, w)) {
      sink.suspect(p, region, Component.WEIGHTS);
    }
    if (w.started[band] && !takeTiles(band, w)) {
      sink.suspect(p, region, Component.PARTIAL_SUM);
    }
    RunningRows.extend(span.length, decay, w.blockSum, valueLength, first, rows);
    RunningRows.extend(span.terms, decay, w.blockSum, largestValueSum, first, rows);
    blocks[band]++;
    predictScores(p, region, band, block, w);
    evidence(p, region, first, rows, sink);
  }

  /** Whether scores are as they were stored, and masks made of them what was taken for it. */
  private boolean areScoresIntact(
      AttentionProblem p, AttentionRegion region, int band, long block, AttentionBuffers w) {
    int first = w.row[band];
    int rows = w.rowsOf(band);
    int computed = AttentionBuffers.computed(p, block);
    boolean intact = true;
    for (int r = first; w.isTransformed && r < first + rows; r++) {
      int at = w.scoresAt(band, r);
      System.arraycopy(w.raw, at, w.again, at, computed);
      VectorAttention.transform(p, region, band, r, block, w.again, w);
      int to = at + VectorAttention.end(p, band, block, w);
      intact &= Arrays.mismatch(w.scores, at, to, w.again, at, to) < 0; // NaN equals NaN
    }
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    long matrix = p.matrix(region.sequence, region.kvHead);
    long keyBlock = p.keyBlock(block / BLOCK);
    SoftmaxPass.residuals(
        w.isTransformed ? w.raw : w.scores,
        rows,
        computed,
        (int) (keyBlock % Signs.PATTERNS) * BLOCK,
        w.queries[band],
        keys.records(),
        keys.recordOffset(matrix, keyBlock, 0),
        p.depth,
        residuals,
        w.digests,
        AttentionBuffers.SCORES_DIGEST);
    return w.takeZero(AttentionBuffers.SCORES_DIGEST) && intact;
  }

  /** Whether weights are as they were stored, and those of their scores. */
  private boolean areWeightsIntact(AttentionProblem p, int band, long block, AttentionBuffers w) {
    int first = w.row[band];
    int rows = w.rowsOf(band);
    int end = VectorAttention.end(p, band, block, w);
    SoftmaxPass.examine(
        w.scores,
        w.weights,
        rows,
        end,
        reference,
        decay,
        first,
        valueSums,
        weightSums,
        products,
        w.digests,
        AttentionBuffers.WEIGHTS_DIGEST,
        misfits);
    return w.takeZero(AttentionBuffers.WEIGHTS_DIGEST)
        && (SoftmaxPass.fit(misfits)
            || SoftmaxPass.isReproduced(w.weights, w.scores, rows, end, reference, first, again));
  }

  /** What the block's check vector says of the scores, less what they show. */
  private void predictScores(
      AttentionProblem p, AttentionRegion region, int band, long block, AttentionBuffers w) {
    int first = w.row[band];
    int rows = w.rowsOf(band);
    Arrays.fill(predicted, first, first + rows, 0);
    Arrays.fill(shown, first, first + rows, 0);
    BlockPass.addUp(residuals, rows, shown, first, 1);
    for (int r = first; r < first + rows; r++) {
      tolerance[r] = queryLength[r] * scoreTolerance + scoreUnderflow;
    }
    if (p.depth % LANES > 0) {
      addRest(p, region, band, block, w);
    }
  }

  /** What head sizes that are no full vectors have behind the last one. */
  private void addRest(
      AttentionProblem p, AttentionRegion region, int band, long block, AttentionBuffers w) {
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    long matrix = p.matrix(region.sequence, region.kvHead);
    long record = keys.recordOffset(matrix, p.keyBlock(block / BLOCK), 0);
    for (int i = p.depth - p.depth % LANES; i < p.depth; i++) {
      double factor = keys.records().get(ValueLayout.JAVA_FLOAT, record + 4L * i);
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        shown[r] += w.queries[band][w.inBand(band, r) + i] * factor;
      }
    }
  }

  /** Reads a band's tiles, which kernels have loaded, again; whether they are as stored. */
  private static boolean takeTiles(int band, AttentionBuffers w) {
    int digest = w.tilesDigest(band);
    int high = w.highStripsOf(band);
    int rows = w.lowRowsOf(band);
    takeTiles(band, 0, high, rows + 1, w);
    takeTiles(band, high, w.stripsOf(band) - high, rows, w);
    return w.takeZero(digest);
  }

  private static void takeTiles(int band, int strip, int strips, int rows, AttentionBuffers w) {
    int at = w.spanOffset(band) + w.tile(band, strip);
    int tiles = strips * w.panels;
    if (tiles > 0 && rows * TILE_COLUMNS == TILE) {
      Strip.subtract(w.span, at, 0, 1, tiles * TILE, w.digests, w.tilesDigest(band));
    } else if (tiles > 0) {
      Strip.subtract(w.span, at, TILE, tiles, rows * TILE_COLUMNS, w.digests, w.tilesDigest(band));
    }
  }

  /** Shows what rows are expected to come to. */
  void probe(AttentionBuffers w) {
    AttentionProbes.expectation(span.max, weightSums, products, w.row[w.bands]);
  }

  /** Hands over evidence of rows. */
  private void evidence(
      AttentionProblem p, AttentionRegion region, int row, int rows, AttentionSink sink) {
    region.checks += rows;
    if (Probe.ON) {
      AttentionProbes.evidence(predicted, shown, tolerance, row, rows);
    }
    sink.evidence(p, region, row, rows, predicted, shown, tolerance);
  }

  /** Verifies a span, before it is taken into the total. */
  void closeSpan(
      AttentionProblem p, AttentionRegion region, AttentionBuffers w, AttentionSink sink) {
    int rows = w.row[w.bands];
    for (int r = 0; r < rows; r++) {
      boolean same =
          Float.floatToRawIntBits(w.max[r]) == Float.floatToRawIntBits(span.max[r])
              && Float.floatToRawIntBits(w.totalMax[r]) == Float.floatToRawIntBits(total.max[r]);
      if (!same) {
        sink.suspect(p, region, Component.RUNNING_ROW);
      }
    }
    Arrays.fill(span.sum, 0, rows, 0);
    Arrays.fill(span.signed, 0, rows, 0);
    BlockPass.addUp(weightSums, rows, span.sum, 0, 1);
    BlockPass.addUp(products, rows, span.signed, 0, 1);
    for (int r = 0; r < rows; r++) {
      sum(p, region, r, w.sum[r], w.sumCopy[r], span, SPAN_ROUNDINGS, sink);
      float max = span.max[r] > total.max[r] ? span.max[r] : total.max[r];
      float before = VectorAttention.decay(total.max[r], max);
      total.merge(r, before, span, VectorAttention.decay(span.max[r], max));
      total.max[r] = max;
    }
    evidence(p, region, 0, rows, sink);
    clearSpan(rows);
    spans++;
  }

  private void clearSpan(int rows) {
    span.clear(rows);
    Arrays.fill(weightSums, 0, rows * LANES, 0);
    Arrays.fill(products, 0, rows * LANES, 0);
  }

  /** Verifies the tiles that were taken into the total, after that. */
  void spanTaken(
      AttentionProblem p, AttentionRegion region, AttentionBuffers w, AttentionSink sink) {
    for (int band = 0; band < w.bands; band++) {
      if (w.started[band] && !w.takeZero(w.tilesDigest(band))) {
        sink.suspect(p, region, Component.PARTIAL_SUM);
      }
    }
  }

  /** Two sums of the same weights: positive numbers, so that each is right to a few roundings. */
  private void sum(
      AttentionProblem p,
      AttentionRegion region,
      int r,
      float found,
      float copy,
      Expectation expected,
      double roundings,
      AttentionSink sink) {
    if (Float.floatToIntBits(found) != Float.floatToIntBits(copy)) {
      sink.suspect(p, region, Component.RUNNING_ROW);
    }
    predicted[r] = expected.sum[r];
    shown[r] = found;
    tolerance[r] = roundings * Tolerance.U * expected.sum[r];
  }

  /** Verifies the result, in memory. */
  void close(AttentionProblem p, AttentionRegion region, AttentionBuffers w, AttentionSink sink) {
    int rows = w.row[w.bands];
    for (int r = 0; r < rows; r++) {
      sum(p, region, r, w.totalSum[r], w.totalSumCopy[r], total, sumRoundings(), sink);
    }
    evidence(p, region, 0, rows, sink);
    for (int band = 0; band < w.bands; band++) {
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        if (!sameQuery(p, region, r, w.queries[band], w.inBand(band, r))) {
          sink.suspect(p, region, Component.QUERIES);
        }
        if (Float.floatToRawIntBits(w.totalMax[r]) != Float.floatToRawIntBits(total.max[r])) {
          sink.suspect(p, region, Component.RUNNING_ROW);
        }
        result(p, region, band, r, w, sink);
      }
      if (!isComplete(p, region, band, w)) {
        sink.suspect(p, region, Component.RUNNING_ROW);
      }
      if (w.merged[band] && !Strip.isZero(w.digests, w.totalsDigest(band))) {
        sink.suspect(p, region, Component.PARTIAL_SUM);
      }
    }
    evidence(p, region, 0, rows, sink);
  }

  /** Whether a band went through the blocks that its rows see, no more and no fewer. */
  private boolean isComplete(
      AttentionProblem p, AttentionRegion region, int band, AttentionBuffers w) {
    boolean complete = true;
    long first = Long.MAX_VALUE;
    long behind = 0;
    for (int r = w.row[band]; r < w.row[band + 1]; r++) {
      long from = p.visibility.from(region.sequence, region.queryOf(r));
      long to = p.visibility.to(region.sequence, region.queryOf(r));
      complete &= w.from[r] == from && w.to[r] == to;
      complete &= w.rowOfTiles[r] == w.rowOfTiles(band, r);
      if (from < to) {
        first = Math.min(first, from);
        behind = Math.max(behind, to);
      }
    }
    long count = behind == 0 ? 0 : (behind - 1) / BLOCK - first / BLOCK + 1;
    return complete
        && first == w.bandFrom[band]
        && behind == w.bandTo[band]
        && count == blocks[band];
  }

  /** Most roundings between a weight and the sum of all. */
  private double sumRoundings() {
    return SPAN_ROUNDINGS + 4.0 * spans;
  }

  /** Whether a scaled query is what its source makes it. */
  private static boolean sameQuery(
      AttentionProblem p, AttentionRegion region, int r, float[] copy, int at) {
    long from = p.query(region.sequence, region.headOf(r), region.queryOf(r));
    if (p.q.isNative() && p.qStride == 4) {
      return !VectorSums.differ(p.q, from, p.scale, copy, at, p.depth);
    }
    boolean same = true;
    for (int i = 0; i < p.depth; i++) {
      float again = p.q.get(ValueLayout.JAVA_FLOAT, from + i * p.qStride) * p.scale;
      same &= Float.floatToIntBits(again) == Float.floatToIntBits(copy[at + i]);
    }
    return same;
  }

  private void result(
      AttentionProblem p,
      AttentionRegion region,
      int band,
      int r,
      AttentionBuffers w,
      AttentionSink sink) {
    float sum = w.merged[band] ? w.totalSum[r] : 0;
    // The largest score has a weight of 1: less means that the maximum was none.
    if (total.max[r] > Float.NEGATIVE_INFINITY && sum <= 0.5f) {
      sink.suspect(p, region, Component.RUNNING_ROW);
    }
    int head = region.headOf(r);
    long query = region.queryOf(r);
    double weights = total.sum[r];
    predicted[r] = weights == 0 ? 0 : total.signed[r] / weights;
    shown[r] = shown(p, region, head, query);
    double steps = Math.max(0, w.to[r] - w.from[r]) + 4.0 * blocks[band] + RESULT_ROUNDINGS;
    double length = (double) total.length[r] * total.length[r];
    double terms = (double) total.terms[r] * total.terms[r];
    double roundings = steps * length + sumRoundings() * terms;
    tolerance[r] =
        weights == 0
            ? 0
            : Tolerance.SIGMAS * Math.sqrt(Tolerance.ROUNDING_VARIANCE * roundings) / weights
                + sumRoundings() * Tolerance.U * Math.abs(predicted[r])
                + Tolerance.UNDERFLOW * (steps + 2) * p.columns;
    if (p.lse.address() != 0) {
      float stored = p.lse.get(ValueLayout.JAVA_FLOAT, p.lseAt(region.sequence, head, query));
      float again = LogSumExp.of(total.max[r], sum);
      if (Float.floatToIntBits(stored) != Float.floatToIntBits(again)) {
        sink.suspect(p, region, Component.RUNNING_ROW);
      }
    }
  }

  /** Signed sum of a row of the result, from memory. */
  private double shown(AttentionProblem p, AttentionRegion region, int head, long query) {
    long at = p.result(region.sequence, head, query);
    double signed = 0;
    for (int block = 0; block * CheckBlock.COLUMNS < p.columns; block++) {
      int columns = Math.min(CheckBlock.COLUMNS, p.columns - block * CheckBlock.COLUMNS);
      long from = at + (long) block * CheckBlock.COLUMNS * p.outStride;
      if (p.outStride == 4) {
        int signs = block % Signs.PATTERNS * CheckBlock.COLUMNS;
        signed += VectorSums.signed(p.out, from, columns, signs);
      } else {
        for (int c = 0; c < columns; c++) {
          float y = p.out.get(ValueLayout.JAVA_FLOAT, from + c * p.outStride);
          signed += Signs.of(block, c) * y;
        }
      }
    }
    return signed;
  }
}
