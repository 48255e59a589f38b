package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.function.LogSumExp;
import dev.regolith.kernels.probe.Probe;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Attention with the Vector API, streaming over keys: for every block of keys, and every band of a
 * region's rows, scores, their weights, and the weighted sums of values, in the canonical order of
 * docs/numerics.md. Both products run in the micro-kernels of the matrix multiplication. A band's
 * scores and weights stay near until they are verified; the block's keys and values come from L2, a
 * panel for all strips of the band.
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
    for (int band = 0; band < w.bands; band++) {
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        copyQuery(p, region, r, w.queries[band], w.inBand(band, r));
      }
    }
    if (Probe.ON) {
      AttentionProbes.queriesCopied(p, region);
    }
    if (p.verify) {
      w.checks.open(p, w);
    }
    long first = w.firstKey;
    long last = w.lastKey;
    for (long span = first / SPAN_KEYS * SPAN_KEYS; span < last; span += SPAN_KEYS) {
      w.openSpan();
      long end = Math.min(last, span + SPAN_KEYS);
      for (long block = Math.max(span, first / BLOCK * BLOCK); block < end; block += BLOCK) {
        if (p.pages != null && VectorShapes.MACHINE_CODE && block + BLOCK < last) {
          prefetchRecords(p, region, block + BLOCK, w);
        }
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

  /**
   * Asks for what is going to be read of the next block of a cache beside its words: what it is
   * checked with, or only what says whether its values are finite.
   */
  private static void prefetchRecords(
      AttentionProblem p, AttentionRegion region, long block, AttentionBuffers w) {
    long matrix = p.matrix(region.sequence, region.kvHead);
    PackedB values = p.values(region.sequence, block / BLOCK);
    if (!p.checksInline) {
      MachinePrefetch.coefficients(values, matrix);
      return;
    }
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    MachinePrefetch.codes(keys, matrix, 0, keys.panelsOf(0));
    MachinePrefetch.codes(values, matrix, 0, w.panels);
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
    for (int band = 0; band < w.bands; band++) {
      if (w.sees(band, block)) {
        band(p, region, band, block, w, sink);
      }
    }
    if (Probe.ON && p.verify) {
      w.checks.probe(w);
    }
  }

  private static void band(
      AttentionProblem p,
      AttentionRegion region,
      int band,
      long block,
      AttentionBuffers w,
      AttentionSink sink) {
    // Who reads the block last, also compares it with its digests.
    boolean checks = p.checksInline && band == w.lastThatSees(block);
    AttentionProducts.multiplyKeys(p, region, band, block, checks, w, sink);
    if (Probe.ON) {
      AttentionProbes.scoresWritten(p, band, block, w);
    }
    softmax(p, region, band, block, w);
    if (Probe.ON) {
      AttentionProbes.weightsWritten(p, region, band, block, w);
    }
    w.clearDigest(w.nextTilesDigest(band));
    AttentionProducts.multiplyValues(p, region, band, block, checks, w, sink);
    if (p.verify) {
      if (Probe.ON) {
        AttentionProbes.lastUse(p, band, block, w);
      }
      w.checks.band(p, region, band, block, w, sink);
    }
    w.started[band] = true;
    w.place[band] = 1 - w.place[band];
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

  /** How far a band's weights go in a block: pairs of tiles, and with them lanes of sums. */
  static int end(AttentionProblem p, int band, long block, AttentionBuffers w) {
    if (p.checksInline) {
      return BLOCK; // all of it is read, to be compared with its digests
    }
    int end = (int) Math.min(BLOCK, w.bandTo[band] - block);
    return Math.ceilDiv(end, 2 * TILE_COLUMNS) * 2 * TILE_COLUMNS;
  }

  /** From scores to weights, and the decay of what was summed up before. */
  private static void softmax(
      AttentionProblem p, AttentionRegion region, int band, long block, AttentionBuffers w) {
    int end = end(p, band, block, w);
    int computed = AttentionBuffers.computed(p, block);
    int first = w.row[band];
    int rows = w.rowsOf(band);
    boolean whole = end <= computed && p.visibility.isPlain();
    for (int r = first; r < first + rows; r++) {
      whole &= w.from[r] <= block && w.to[r] >= block + end;
    }
    w.isTransformed = !whole;
    for (int r = first; !whole && r < first + rows; r++) {
      System.arraycopy(w.scores, w.scoresAt(band, r), w.raw, w.scoresAt(band, r), computed);
      transform(p, region, band, r, block, w.scores, w);
    }
    SoftmaxPass.maxima(w.scores, rows, end, w.largest, first);
    RunningRows.rise(w.largest, w.max, w.reference, w.decay, first, rows);
    SoftmaxPass.weigh(
        w.scores,
        rows,
        end,
        w.reference,
        first,
        w.weights,
        w.blockSum,
        w.blockSumCopy,
        w.digests,
        AttentionBuffers.WEIGHTS_DIGEST);
    RunningRows.add(w.sum, w.decay, w.blockSum, first, rows);
    RunningRows.add(w.sumCopy, w.decay, w.blockSumCopy, first, rows);
    for (int r = first; w.started[band] && r < first + rows; r++) {
      if (w.decay[r] != 1) {
        int at = w.spanOffset(band) + w.rowOfTiles[r];
        AttentionTiles.scale(w.span, at, w.panels, w.decay[r], w.digests, w.tilesDigest(band));
      }
    }
  }

  /** What exponents are taken relative to: the maximum, if there is any score. */
  static float reference(float max) {
    return max == Float.NEGATIVE_INFINITY ? 0 : max;
  }

  /**
   * What becomes of sums when the maximum rises: {@code exp(before - reference(max))}, which is 1
   * where nothing rises. Where there is no score yet, sums are zero, whatever they are multiplied
   * by.
   */
  static float decay(float before, float max) {
    return before == max ? 1 : Exponential.of(before - reference(max));
  }

  /** Softcap, linear bias and mask of a row of scores, in place; what it does not see is hidden. */
  static void transform(
      AttentionProblem p,
      AttentionRegion region,
      int band,
      int r,
      long block,
      float[] scores,
      AttentionBuffers w) {
    Visibility visibility = p.visibility;
    int end = end(p, band, block, w);
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
    int at = w.scoresAt(band, r);
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

  /** Takes the span into the total. */
  private static void merge(AttentionBuffers w) {
    for (int band = 0; band < w.bands; band++) {
      if (!w.started[band]) {
        continue;
      }
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        float max = w.max[r] > w.totalMax[r] ? w.max[r] : w.totalMax[r];
        float before = decay(w.totalMax[r], max);
        float now = decay(w.max[r], max);
        w.totalSum[r] = Math.fma(w.totalSum[r], before, w.sum[r] * now);
        w.totalSumCopy[r] = Math.fma(w.totalSumCopy[r], before, w.sumCopy[r] * now);
        w.totalMax[r] = max;
        AttentionTiles.merge(
            w.span,
            w.spanOffset(band) + w.rowOfTiles[r],
            w.panels,
            w.digests,
            w.tilesDigest(band),
            w.total,
            w.rowOfTiles[r],
            w.totalsDigest(band),
            w.merged[band],
            before,
            now);
      }
      w.merged[band] = true;
    }
  }

  /** The final division. */
  private static void store(AttentionProblem p, AttentionRegion region, AttentionBuffers w) {
    region.stored = 0;
    region.logarithms = 0;
    for (int band = 0; band < w.bands; band++) {
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        int head = region.headOf(r);
        long query = region.queryOf(r);
        float sum = w.merged[band] ? w.totalSum[r] : 0;
        long at = p.result(region.sequence, head, query);
        region.stored +=
            AttentionTiles.deliver(
                w.total,
                w.rowOfTiles[r],
                sum,
                w.digests,
                w.totalsDigest(band),
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
