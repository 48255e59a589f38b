package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.function.LogSumExp;
import dev.regolith.kernels.probe.Probe;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Attention with the Vector API, streaming over keys: for every block of keys, and every strip of a
 * region's rows, scores, their weights, and the weighted sums of values, in the canonical order of
 * docs/numerics.md. Both products run in the micro-kernels of the matrix multiplication. A strip's
 * scores and weights stay in L1 until they are verified; the block's keys and values come from L2.
 *
 * <p>What it leaves in its buffers is what {@link AttentionChecks} verifies.
 */
final class VectorAttention {
  private static final int BLOCK = AttentionProblem.BLOCK;
  private static final int SPAN_KEYS = AttentionProblem.SPAN * BLOCK;

  private VectorAttention() {}

  static void run(
      AttentionProblem p, AttentionRegion region, AttentionBuffers w, AttentionSink sink) {
    w.open(p, region);
    for (int strip = 0; strip < w.strips; strip++) {
      for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
        copyQuery(p, region, r, w.queries[strip], w.inStrip(strip, r));
      }
    }
    if (Probe.ON) {
      AttentionProbes.queriesCopied(p, region);
    }
    if (p.verify) {
      w.checks.open(p, w);
    }
    long first = Long.MAX_VALUE;
    long last = 0;
    for (int strip = 0; strip < w.strips; strip++) {
      first = Math.min(first, w.stripFrom[strip]);
      last = Math.max(last, w.stripTo[strip]);
    }
    for (long span = first / SPAN_KEYS * SPAN_KEYS; span < last; span += SPAN_KEYS) {
      w.openSpan();
      long end = Math.min(last, span + SPAN_KEYS);
      for (long block = Math.max(span, first / BLOCK * BLOCK); block < end; block += BLOCK) {
        block(p, region, block, w, sink);
      }
      if (Probe.ON) {
        AttentionProbes.beforeMerge(w);
      }
      if (p.verify) {
        w.checks.closeSpan(p, region, w, sink);
      }
      merge(w);
      if (p.verify) {
        w.checks.spanTaken(p, region, w, sink);
      }
    }
    if (Probe.ON) {
      AttentionProbes.beforeStore(w);
    }
    store(p, region, w);
    if (Probe.ON) {
      AttentionProbes.afterStore(p, region, w);
    }
    if (p.verify) {
      w.checks.close(p, region, w, sink);
    }
  }

  private static void block(
      AttentionProblem p,
      AttentionRegion region,
      long block,
      AttentionBuffers w,
      AttentionSink sink) {
    if (Probe.ON) {
      AttentionProbes.beforeBlock(p, region, block, w);
    }
    if (p.verify) {
      w.checks.openBlock(p, region, block);
    }
    for (int strip = 0; strip < w.strips; strip++) {
      if (w.sees(strip, block)) {
        strip(p, region, strip, block, w, sink);
      }
    }
    if (Probe.ON && p.verify) {
      w.checks.probe(w);
    }
  }

  private static void strip(
      AttentionProblem p,
      AttentionRegion region,
      int strip,
      long block,
      AttentionBuffers w,
      AttentionSink sink) {
    // Who reads the block last, also compares it with its digests.
    boolean checks = p.checksInline && strip == w.lastThatSees(block);
    multiplyKeys(p, region, strip, block, checks, w, sink);
    if (Probe.ON) {
      AttentionProbes.scoresWritten(p, strip, block, w);
    }
    softmax(p, region, strip, block, w);
    if (Probe.ON) {
      AttentionProbes.weightsWritten(p, region, strip, block, w);
    }
    w.clearDigest(w.nextTilesDigest(strip));
    multiplyValues(p, region, strip, block, checks, w, sink);
    if (p.verify) {
      if (Probe.ON) {
        AttentionProbes.lastUse(p, strip, block, w);
      }
      w.checks.strip(p, region, strip, block, w, sink);
    }
    w.started[strip] = true;
    w.place[strip] = 1 - w.place[strip];
  }

  /** A query, scaled. */
  static void copyQuery(AttentionProblem p, AttentionRegion region, int r, float[] to, int at) {
    long from = p.query(region.sequence, region.headOf(r), region.queryOf(r));
    if (p.q.isNative() && p.qStride == 4) {
      scale(p.q, from, p.depth, p.scale, to, at);
    } else {
      for (int i = 0; i < p.depth; i++) {
        to[at + i] = p.q.get(ValueLayout.JAVA_FLOAT, from + i * p.qStride) * p.scale;
      }
    }
  }

  private static void scale(
      MemorySegment source, long from, int depth, float scale, float[] to, int at) {
    source = known(source);
    int full = FLOATS.loopBound(depth);
    for (int i = 0; i < full; i += LANES) {
      FloatVector.fromMemorySegment(FLOATS, source, from + 4L * i, ORDER)
          .mul(scale)
          .intoArray(to, at + i);
    }
    for (int i = full; i < depth; i++) {
      to[at + i] = source.get(ValueLayout.JAVA_FLOAT, from + 4L * i) * scale;
    }
  }

  /**
   * Scores of a strip: with every panel that holds a key it sees; with every panel, if they are
   * going to be held against the block's check vector.
   */
  private static void multiplyKeys(
      AttentionProblem p,
      AttentionRegion region,
      int strip,
      long block,
      boolean checks,
      AttentionBuffers w,
      AttentionSink sink) {
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    long matrix = p.matrix(region.sequence, region.kvHead);
    long keyBlock = p.keyBlock(block / BLOCK);
    long panel = keys.panel(matrix, keyBlock);
    int count = keys.panelsOf(keyBlock);
    if (!p.verify) {
      count = (int) Math.min(count, Math.ceilDiv(w.stripTo[strip] - block, TILE_COLUMNS));
    }
    w.touched +=
        MicroKernels.of(w.rowsOf(strip), false, checks, false)
            .sweep(
                w.queries[strip],
                keys.panels(),
                keys.panelOffset(panel, 0),
                keys.panelStride(),
                count,
                p.depth,
                w.scores,
                0,
                0,
                w.digests,
                AttentionBuffers.SCORES_DIGEST,
                keys.panelStride(),
                w.panelSums,
                MemorySegment.NULL,
                0,
                0);
    for (int i = 0; checks && i < count; i++) {
      if (!keys.agrees(panel + i, 0, w.panelSums, i * Digest.SUMS * WIDE_LANES)) {
        sink.suspect(p, region, Component.OPERAND_B);
      }
    }
  }

  /** How far a strip's weights go in a block: pairs of tiles, and with them lanes of sums. */
  static int end(AttentionProblem p, int strip, long block, AttentionBuffers w) {
    if (p.checksInline) {
      return BLOCK; // all of it is read, to be compared with its digests
    }
    int end = (int) Math.min(BLOCK, w.stripTo[strip] - block);
    return Math.ceilDiv(end, 2 * TILE_COLUMNS) * 2 * TILE_COLUMNS;
  }

  /** From scores to weights, and the decay of what was summed up before. */
  private static void softmax(
      AttentionProblem p, AttentionRegion region, int strip, long block, AttentionBuffers w) {
    int end = end(p, strip, block, w);
    int computed = AttentionBuffers.computed(p, block);
    boolean whole = end <= computed;
    int first = w.row[strip];
    int rows = w.rowsOf(strip);
    for (int r = first; r < first + rows; r++) {
      boolean transforms =
          !whole || !p.visibility.isPlain() || w.from[r] > block || w.to[r] < block + end;
      w.isTransformed[r] = transforms;
      if (transforms) {
        SoftmaxPass.copy(w.scores, w.raw, w.scoresAt(strip, r), computed);
        transform(p, region, strip, r, block, w.scores, w);
      }
    }
    int tiles = end / TILE_COLUMNS;
    SoftmaxPass.maxima(w.scores, rows, tiles, w.reference, first);
    RunningRows.rise(w.reference, w.max, w.decay, first, rows);
    SoftmaxPass.weigh(
        w.scores,
        rows,
        tiles,
        w.reference,
        first,
        w.weights,
        w.blockSum,
        w.blockSumCopy,
        w.digests,
        AttentionBuffers.WEIGHTS_DIGEST);
    RunningRows.add(w.sum, w.decay, w.blockSum, first, rows);
    RunningRows.add(w.sumCopy, w.decay, w.blockSumCopy, first, rows);
    for (int r = first; w.started[strip] && r < first + rows; r++) {
      float decay = w.decay[r];
      if (decay != 1) {
        int digest = w.tilesDigest(strip);
        for (int panel = 0; panel < w.panels; panel++) {
          int row = w.spanTile(strip, panel) + (r - first) * TILE_COLUMNS;
          AttentionTiles.scale(w.span, row, decay, w.digests, digest);
        }
      }
    }
  }

  /** What exponents are taken relative to: the maximum, if there is any score. */
  static float reference(float max) {
    return max == Float.NEGATIVE_INFINITY ? 0 : max;
  }

  /** What becomes of sums when the maximum rises. */
  static float decay(float before, float max) {
    return before == max ? 1 : Exponential.of(before - reference(max));
  }

  /** Softcap, linear bias and mask of a row of scores, in place; what it does not see is hidden. */
  static void transform(
      AttentionProblem p,
      AttentionRegion region,
      int strip,
      int r,
      long block,
      float[] scores,
      AttentionBuffers w) {
    Visibility visibility = p.visibility;
    int end = end(p, strip, block, w);
    int from = Math.clamp(w.from[r] - block, 0, end);
    int to = Math.clamp(w.to[r] - block, 0, end);
    int head = region.headOf(r);
    long query = region.queryOf(r);
    boolean adds = visibility.mask != Visibility.Mask.NONE;
    if (adds) {
      mask(visibility, visibility.maskAt(region.sequence, head, query, block), from, to, w.bias);
    }
    float[] slopes = visibility.slopes;
    if (slopes != null) {
      for (int j = from; j < to; j++) {
        w.distances[j] = visibility.distance(region.sequence, query, block + j);
      }
    }
    int at = w.scoresAt(strip, r);
    if (visibility.softcap > 0) {
      int columns = Math.min(end, AttentionBuffers.computed(p, block));
      SoftmaxPass.cap(scores, at, columns, visibility.softcap);
    }
    SoftmaxPass.mask(
        scores,
        at,
        end,
        slopes != null,
        slopes == null ? 0 : slopes[head],
        w.distances,
        adds,
        w.bias,
        from,
        to);
  }

  /** What a row's mask adds. */
  private static void mask(Visibility visibility, long at, int from, int to, float[] bias) {
    MemorySegment memory = visibility.maskMemory;
    long stride = visibility.maskKeyStride;
    if (visibility.mask == Visibility.Mask.BOOLEAN) {
      for (int j = from; j < to; j++) {
        bias[j] =
            memory.get(ValueLayout.JAVA_BYTE, at + j * stride) == 0 ? Float.NEGATIVE_INFINITY : 0;
      }
    } else {
      for (int j = from; j < to; j++) {
        bias[j] = memory.getAtIndex(ValueLayout.JAVA_FLOAT, at + j * stride);
      }
    }
  }

  /** Weighted sums of the block's values, on top of what the span has. */
  private static void multiplyValues(
      AttentionProblem p,
      AttentionRegion region,
      int strip,
      long block,
      boolean checks,
      AttentionBuffers w,
      AttentionSink sink) {
    if (!p.isFinite(region.sequence, region.kvHead, block / BLOCK)) {
      for (int panel = 0; panel < w.panels; panel++) {
        addVisible(p, region, block, strip, panel, w);
      }
      return;
    }
    PackedB values = p.values(region.sequence, block / BLOCK);
    long panel = values.panel(p.matrix(region.sequence, region.kvHead), 0);
    int kBlock = p.valueBlock(block / BLOCK);
    long step = 4L * TILE_COLUMNS * p.valueStep(block / BLOCK);
    int steps = p.checksInline ? BLOCK : (int) Math.min(BLOCK, w.stripTo[strip] - block);
    w.touched +=
        MicroKernels.of(w.rowsOf(strip), w.started[strip], checks, false)
            .sweep(
                w.weights,
                values.panels(),
                values.panelOffset(panel, kBlock) + step,
                values.panelStride(),
                w.panels,
                steps,
                w.span,
                w.spanTile(strip, 0),
                w.nextSpanTile(strip, 0),
                w.digests,
                w.nextTilesDigest(strip),
                values.panelStride(),
                w.panelSums,
                MemorySegment.NULL,
                0,
                0);
    for (int i = 0; checks && i < w.panels; i++) {
      if (!values.agrees(panel + i, kBlock, w.panelSums, i * Digest.SUMS * WIDE_LANES)) {
        sink.suspect(p, region, Component.PACKED_B);
      }
    }
  }

  /**
   * The same, element by element, where values are infinite or NaN: a weight of zero must not meet
   * those that its row does not see.
   */
  private static void addVisible(
      AttentionProblem p,
      AttentionRegion region,
      long block,
      int strip,
      int panel,
      AttentionBuffers w) {
    Visibility visibility = p.visibility;
    for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
      int row = (r - w.row[strip]) * TILE_COLUMNS;
      int from = w.spanTile(strip, panel) + row;
      int to = w.nextSpanTile(strip, panel) + row;
      int weights = w.inStrip(strip, r);
      for (int c = 0; c < TILE_COLUMNS; c++) {
        int column = panel * TILE_COLUMNS + c;
        float sum = w.started[strip] ? w.span[from + c] : 0;
        long end = Math.min(block + BLOCK, w.to[r]);
        for (long key = Math.max(block, w.from[r]); column < p.columns && key < end; key++) {
          if (!visibility.hides(region.sequence, region.headOf(r), region.queryOf(r), key)) {
            float weight = w.weights[weights + (int) (key - block)];
            float value = p.value(region.sequence, region.kvHead, key, column);
            sum = Math.fma(weight, value, sum);
          }
        }
        w.span[to + c] = sum;
      }
      AttentionTiles.add(w.span, to, w.digests, w.nextTilesDigest(strip));
    }
  }

  /** Takes the span into the total. */
  private static void merge(AttentionBuffers w) {
    for (int strip = 0; strip < w.strips; strip++) {
      if (!w.started[strip]) {
        continue;
      }
      for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
        float max = w.max[r] > w.totalMax[r] ? w.max[r] : w.totalMax[r];
        float reference = reference(max);
        float before = decay(w.totalMax[r], max);
        float now = Exponential.of(w.max[r] - reference);
        w.totalSum[r] = Math.fma(w.totalSum[r], before, w.sum[r] * now);
        w.totalSumCopy[r] = Math.fma(w.totalSumCopy[r], before, w.sumCopy[r] * now);
        w.totalMax[r] = max;
        for (int panel = 0; panel < w.panels; panel++) {
          int row = (r - w.row[strip]) * TILE_COLUMNS;
          AttentionTiles.merge(
              w.span,
              w.spanTile(strip, panel) + row,
              w.digests,
              w.tilesDigest(strip),
              w.total,
              w.tile(strip, panel) + row,
              w.totalsDigest(strip),
              w.merged[strip],
              before,
              now);
        }
      }
      w.merged[strip] = true;
    }
  }

  /** The final division. */
  private static void store(AttentionProblem p, AttentionRegion region, AttentionBuffers w) {
    region.stored = 0;
    region.logarithms = 0;
    for (int strip = 0; strip < w.strips; strip++) {
      for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
        int head = region.headOf(r);
        long query = region.queryOf(r);
        float sum = w.merged[strip] ? w.totalSum[r] : 0;
        long at = p.result(region.sequence, head, query);
        region.stored +=
            AttentionTiles.deliver(
                w.total,
                w.tile(strip, 0) + (r - w.row[strip]) * TILE_COLUMNS,
                sum,
                w.digests,
                w.totalsDigest(strip),
                p.out,
                at,
                p.outStride,
                p.columns);
        if (p.lse.address() != 0) {
          float logSum = LogSumExp.of(w.totalMax[r], sum);
          p.lse.set(ValueLayout.JAVA_FLOAT, p.lseAt(region.sequence, head, query), logSum);
          region.logarithms += Integer.toUnsignedLong(Float.floatToRawIntBits(logSum));
        }
      }
    }
  }
}
