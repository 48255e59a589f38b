package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.function.Exponential;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Attention with the Vector API, streaming over keys: for every block of keys, scores of all rows
 * of a region, their weights, and the weighted sums of values, in the canonical order of
 * docs/numerics.md. Both products run in the micro-kernels of the matrix multiplication: a panel of
 * keys, or of values, serves all strips of the region while it is in L1.
 */
final class VectorAttention {
  private static final int BLOCK = AttentionProblem.BLOCK;
  private static final int SPAN_KEYS = AttentionProblem.SPAN * BLOCK;

  private VectorAttention() {}

  static void run(AttentionProblem p, AttentionRegion region, AttentionBuffers w) {
    w.open(p, region);
    copyQueries(p, region, w);
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
        multiplyKeys(p, region, block, w);
        for (int strip = 0; strip < w.strips; strip++) {
          if (w.sees(strip, block)) {
            softmax(p, region, strip, block, w);
          }
        }
        multiplyValues(p, region, block, w);
      }
      merge(w);
    }
    store(p, region, w);
  }

  private static void copyQueries(AttentionProblem p, AttentionRegion region, AttentionBuffers w) {
    for (int strip = 0; strip < w.strips; strip++) {
      float[] to = w.queries[strip];
      for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
        int at = (r - w.row[strip]) * MicroKernel.STRIP_STRIDE;
        long from = p.query(region.sequence, region.headOf(r), region.queryOf(r));
        if (p.q.isNative() && p.qStride == 4) {
          scale(p.q, from, p.depth, p.scale, to, at);
        } else {
          for (int i = 0; i < p.depth; i++) {
            to[at + i] = p.q.get(ValueLayout.JAVA_FLOAT, from + i * p.qStride) * p.scale;
          }
        }
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

  /** Scores of a block: every panel of keys with every strip that sees any of its keys. */
  private static void multiplyKeys(
      AttentionProblem p, AttentionRegion region, long block, AttentionBuffers w) {
    PackedB keys = p.k;
    long matrix = p.matrix(region.sequence, region.kvHead);
    long panel = keys.panel(matrix, block / BLOCK);
    int count = keys.panelsOf(block / BLOCK);
    for (int i = 0; i < count; i++) {
      long offset = keys.panelOffset(panel + i, 0);
      long near = near(keys.panels(), offset, p.depth);
      for (int strip = 0; strip < w.strips; strip++) {
        if (!w.sees(strip, block) || block + (long) i * TILE_COLUMNS >= w.stripTo[strip]) {
          continue;
        }
        int row = w.row[strip];
        w.touched +=
            MicroKernels.of(w.row[strip + 1] - row, false, false, true)
                .run(
                    w.queries[strip],
                    keys.panels(),
                    offset,
                    p.depth,
                    w.span,
                    0,
                    0,
                    w.digests,
                    0,
                    near,
                    w.digests,
                    w.scores,
                    row * AttentionBuffers.SCORE_STRIDE + 4L * i * TILE_COLUMNS,
                    AttentionBuffers.SCORE_STRIDE);
      }
    }
  }

  /** Where kernels touch: the next panel, or this one if it is the last. */
  private static long near(MemorySegment panels, long offset, int steps) {
    long bytes = 4L * steps * TILE_COLUMNS;
    return offset + 2 * bytes <= panels.byteSize() ? offset + bytes : offset;
  }

  /** From scores to weights, and the decay of what was summed up before. */
  private static void softmax(
      AttentionProblem p, AttentionRegion region, int strip, long block, AttentionBuffers w) {
    // As far as any row of the strip sees: kernels walk all its rows as far.
    int end = (int) Math.min(BLOCK, w.stripTo[strip] - block);
    end = Math.ceilDiv(end, 2 * LANES) * 2 * LANES;
    end = Math.ceilDiv(end, AttentionProblem.SUM_LANES) * AttentionProblem.SUM_LANES;
    for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
      long at = r * AttentionBuffers.SCORE_STRIDE;
      int from = Math.clamp(w.from[r] - block, 0, end);
      int to = Math.clamp(w.to[r] - block, 0, end);
      if (!p.visibility.isPlain()) {
        transform(p, region, r, block, from, to, end, w);
      }
      if (from > 0 || to < end) {
        SoftmaxPass.clip(w.scores, at, from, to, end);
      }
      float before = w.max[r];
      float found = SoftmaxPass.max(w.scores, at, end);
      float max = found > before ? found : before;
      float reference = max == Float.NEGATIVE_INFINITY ? 0 : max;
      int rowInStrip = r - w.row[strip];
      float sum =
          SoftmaxPass.weigh(
              w.scores,
              at,
              end,
              reference,
              w.weights[strip],
              rowInStrip * MicroKernel.STRIP_STRIDE,
              w.lanes);
      float decay = before == max ? 1 : Exponential.of(before - reference);
      w.max[r] = max;
      w.sum[r] = Math.fma(w.sum[r], decay, sum);
      if (decay != 1 && w.started[strip]) {
        for (int panel = 0; panel < w.panels; panel++) {
          scaleRow(w.span, w.tileRow(strip, panel, rowInStrip), decay);
        }
      }
    }
  }

  private static void scaleRow(float[] tiles, int at, float factor) {
    FloatVector.fromArray(FLOATS, tiles, at).mul(factor).intoArray(tiles, at);
    FloatVector.fromArray(FLOATS, tiles, at + LANES).mul(factor).intoArray(tiles, at + LANES);
  }

  private static void transform(
      AttentionProblem p,
      AttentionRegion region,
      int r,
      long block,
      int from,
      int to,
      int end,
      AttentionBuffers w) {
    Visibility visibility = p.visibility;
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
    SoftmaxPass.transform(
        w.scores,
        r * AttentionBuffers.SCORE_STRIDE,
        end,
        visibility.softcap,
        slopes != null,
        slopes == null ? 0 : slopes[head],
        w.distances,
        adds,
        w.bias);
  }

  /** What a row's mask adds; 0 where it is not asked. */
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
      AttentionProblem p, AttentionRegion region, long block, AttentionBuffers w) {
    PackedB values = p.v;
    long matrix = p.matrix(region.sequence, region.kvHead);
    boolean finite = p.finite[p.finiteAt(matrix, block / BLOCK)];
    int kBlock = (int) (block / PackedB.DEPTH);
    long step = block % PackedB.DEPTH * TILE_COLUMNS * 4;
    long first = values.panel(matrix, 0);
    for (int panel = 0; panel < w.panels; panel++) {
      long offset = values.panelOffset(first + panel, kBlock) + step;
      for (int strip = 0; strip < w.strips; strip++) {
        if (!w.sees(strip, block)) {
          continue;
        }
        int tile = w.tile(strip, panel);
        if (!finite) {
          addVisible(p, region, block, strip, panel, w);
          continue;
        }
        int steps = (int) Math.min(BLOCK, w.stripTo[strip] - block);
        long near = near(values.panels(), offset, steps);
        w.touched +=
            MicroKernels.of(w.row[strip + 1] - w.row[strip], w.started[strip], false, false)
                .run(
                    w.weights[strip],
                    values.panels(),
                    offset,
                    steps,
                    w.span,
                    tile,
                    tile,
                    w.digests,
                    0,
                    near,
                    w.digests,
                    w.scores,
                    0,
                    0);
      }
    }
    for (int strip = 0; strip < w.strips; strip++) {
      w.started[strip] |= w.sees(strip, block);
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
    long matrix = p.matrix(region.sequence, region.kvHead);
    Visibility visibility = p.visibility;
    for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
      int rowInStrip = r - w.row[strip];
      int at = w.tileRow(strip, panel, rowInStrip);
      for (int c = 0; c < TILE_COLUMNS; c++) {
        int column = panel * TILE_COLUMNS + c;
        float sum = w.started[strip] ? w.span[at + c] : 0;
        long end = Math.min(block + BLOCK, w.to[r]);
        for (long key = Math.max(block, w.from[r]); column < p.columns && key < end; key++) {
          if (!visibility.hides(region.sequence, region.headOf(r), region.queryOf(r), key)) {
            float weight =
                w.weights[strip][rowInStrip * MicroKernel.STRIP_STRIDE + (int) (key - block)];
            sum = Math.fma(weight, p.v.get(matrix, key, column), sum);
          }
        }
        w.span[at + c] = sum;
      }
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
        float reference = max == Float.NEGATIVE_INFINITY ? 0 : max;
        float before = Exponential.of(w.totalMax[r] - reference);
        float now = Exponential.of(w.max[r] - reference);
        w.totalSum[r] = Math.fma(w.totalSum[r], before, w.sum[r] * now);
        w.totalMax[r] = max;
        for (int panel = 0; panel < w.panels; panel++) {
          int at = w.tileRow(strip, panel, r - w.row[strip]);
          mergeRow(w.span, w.total, at, w.merged[strip], before, now);
        }
      }
      w.merged[strip] = true;
    }
  }

  private static void mergeRow(
      float[] span, float[] total, int at, boolean merged, float before, float now) {
    for (int c = 0; c < TILE_COLUMNS; c += LANES) {
      FloatVector y = FloatVector.fromArray(FLOATS, span, at + c).mul(now);
      if (merged) {
        FloatVector x = FloatVector.fromArray(FLOATS, total, at + c);
        y = x.fma(FloatVector.broadcast(FLOATS, before), y);
      }
      y.intoArray(total, at + c);
    }
  }

  /** The final division. */
  private static void store(AttentionProblem p, AttentionRegion region, AttentionBuffers w) {
    for (int strip = 0; strip < w.strips; strip++) {
      for (int r = w.row[strip]; r < w.row[strip + 1]; r++) {
        int head = region.headOf(r);
        long query = region.queryOf(r);
        float sum = w.merged[strip] ? w.totalSum[r] : 0;
        long at = p.result(region.sequence, head, query);
        for (int panel = 0; panel < w.panels; panel++) {
          int from = w.tileRow(strip, panel, r - w.row[strip]);
          int columns = Math.min(TILE_COLUMNS, p.columns - panel * TILE_COLUMNS);
          divide(
              w.total,
              from,
              sum,
              p.out,
              at + (long) panel * TILE_COLUMNS * p.outStride,
              p.outStride,
              columns);
        }
        if (p.lse.address() != 0) {
          float lse =
              sum == 0 ? Float.NEGATIVE_INFINITY : (float) (w.totalMax[r] + StrictMath.log(sum));
          p.lse.set(ValueLayout.JAVA_FLOAT, p.lseAt(region.sequence, head, query), lse);
        }
      }
    }
  }

  private static void divide(
      float[] tiles, int from, float sum, MemorySegment out, long at, long stride, int columns) {
    for (int c = 0; c < columns; c += LANES) {
      FloatVector y =
          sum == 0
              ? FloatVector.zero(FLOATS)
              : FloatVector.fromArray(FLOATS, tiles, from + c).div(sum).add(0);
      if (stride == 4 && c + LANES <= columns) {
        y.intoMemorySegment(out, at + 4L * c, ORDER);
      } else {
        y.intoArray(tiles, from + c);
        for (int i = c; i < Math.min(columns, c + LANES); i++) {
          out.set(ValueLayout.JAVA_FLOAT, at + i * stride, tiles[from + i]);
        }
      }
    }
  }
}
