package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/** Shows an attention's buffers to the probe, at each moment of their life. */
final class AttentionProbes {
  private static final int BLOCK = AttentionProblem.BLOCK;

  private AttentionProbes() {}

  static void queriesCopied(AttentionProblem p, AttentionRegion region) {
    for (int r = 0; r < region.rows(); r++) {
      long at = p.query(region.sequence, region.headOf(r), region.queryOf(r));
      Probe.reach(ProbePoint.QUERY_SOURCE_COPIED, p.q, at, p.depth, 4, p.qStride);
    }
  }

  private static void mask(
      AttentionProblem p, AttentionRegion region, int band, long block, AttentionBuffers w) {
    Visibility visibility = p.visibility;
    for (int r = w.row[band]; r < w.row[band + 1]; r++) {
      long from = Math.max(block, w.from[r]);
      long to = Math.min(block + BLOCK, w.to[r]);
      if (from < to) {
        long at = visibility.maskAt(region.sequence, region.headOf(r), region.queryOf(r), from);
        long stride = 4 * visibility.maskKeyStride;
        Probe.reach(ProbePoint.MASK_BETWEEN, visibility.maskMemory, 4 * at, to - from, 4, stride);
      }
    }
  }

  static void beforeBlock(
      AttentionProblem p, AttentionRegion region, long block, AttentionBuffers w) {
    long matrix = p.matrix(region.sequence, region.kvHead);
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    long keyBlock = p.keyBlock(block / BLOCK);
    for (int i = 0; i < keys.panelsOf(keyBlock); i++) {
      long offset = keys.panelOffset(keys.panel(matrix, keyBlock) + i, 0);
      Probe.reach(ProbePoint.KEYS_READ, keys.panels(), offset, 1, 4L * keys.panelWords(0), 0);
    }
    PackedB values = p.values(region.sequence, block / BLOCK);
    int kBlock = p.valueBlock(block / BLOCK);
    int step = p.valueStep(block / BLOCK);
    long bytes = 4L * TILE_COLUMNS * Math.min(BLOCK, values.depthOf(kBlock) - step);
    for (int i = 0; i < w.panels; i++) {
      long offset = values.panelOffset(values.panel(matrix, 0) + i, kBlock);
      offset += 4L * TILE_COLUMNS * step;
      Probe.reach(ProbePoint.VALUES_READ, values.panels(), offset, 1, bytes, 0);
    }
    if (p.verify) {
      long record = keys.recordOffset(matrix, keyBlock, 0);
      Probe.reach(ProbePoint.CHECK_VECTORS_READ, keys.records(), record, 1, 4L * p.depth, 0);
      long coefficients = record + keys.coefficients();
      long grains = 8L * PackedB.GRAINS;
      Probe.reach(
          ProbePoint.TOLERANCE_COEFFICIENTS_READ, keys.records(), coefficients, 1, grains, 0);
      record = values.recordOffset(matrix, 0, kBlock);
      Probe.reach(
          ProbePoint.CHECK_VECTORS_READ,
          values.records(),
          record + 4L * step,
          1,
          bytes / TILE_COLUMNS,
          0);
    }
    for (int band = 0; band < w.bands; band++) {
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        Probe.reach(ProbePoint.QUERIES_READ, w.queries[band], w.inBand(band, r), p.depth);
      }
      spanTiles(ProbePoint.VALUE_SUMS_READ, band, w);
    }
    Probe.reach(ProbePoint.ROW_MAXIMUM, w.max, 0, w.row[w.bands]);
    Probe.reach(ProbePoint.ROW_SUM, w.sum, 0, w.row[w.bands]);
  }

  /** A row's part of all tiles it lies across. */
  private static void tiles(ProbePoint point, float[] tiles, int at, AttentionBuffers w) {
    for (int panel = 0; panel < w.panels; panel++) {
      Probe.reach(point, tiles, at + panel * TILE, TILE_COLUMNS);
    }
  }

  private static void spanTiles(ProbePoint point, int band, AttentionBuffers w) {
    for (int r = w.row[band]; w.started[band] && r < w.row[band + 1]; r++) {
      tiles(point, w.span, w.spanOffset(band) + w.rowOfTiles[r], w);
    }
  }

  private static void totals(int band, AttentionBuffers w) {
    for (int r = w.row[band]; w.merged[band] && r < w.row[band + 1]; r++) {
      tiles(ProbePoint.TOTAL_SUMS_READ, w.total, w.rowOfTiles[r], w);
    }
  }

  static void scoresWritten(AttentionProblem p, int band, long block, AttentionBuffers w) {
    scores(ProbePoint.SCORES_WRITTEN, p, band, block, w.scores, w);
  }

  private static void scores(
      ProbePoint point,
      AttentionProblem p,
      int band,
      long block,
      float[] scores,
      AttentionBuffers w) {
    for (int r = w.row[band]; r < w.row[band + 1]; r++) {
      Probe.reach(point, scores, w.scoresAt(band, r), AttentionBuffers.computed(p, block));
    }
  }

  static void weightsWritten(
      AttentionProblem p, AttentionRegion region, int band, long block, AttentionBuffers w) {
    weights(ProbePoint.WEIGHTS_WRITTEN, p, band, block, w);
    if (p.visibility.mask == Visibility.Mask.ADDITIVE) {
      mask(p, region, band, block, w);
    }
  }

  private static void weights(
      ProbePoint point, AttentionProblem p, int band, long block, AttentionBuffers w) {
    int end = VectorAttention.end(p, band, block, w);
    for (int r = w.row[band]; r < w.row[band + 1]; r++) {
      Probe.reach(point, w.weights, w.inBand(band, r), end);
    }
  }

  static void lastUse(AttentionProblem p, int band, long block, AttentionBuffers w) {
    weights(ProbePoint.WEIGHTS_LAST_USE, p, band, block, w);
    scores(ProbePoint.SCORES_LAST_USE, p, band, block, w.scores, w);
    scores(ProbePoint.SCORES_LAST_USE, p, band, block, w.raw, w);
    Probe.reach(ProbePoint.ROW_DIGEST, w.digests, AttentionBuffers.SCORES_DIGEST, WIDE_LANES);
    Probe.reach(ProbePoint.ROW_DIGEST, w.digests, AttentionBuffers.WEIGHTS_DIGEST, WIDE_LANES);
    if (w.started[band]) {
      spanTiles(ProbePoint.VALUE_SUMS_LAST_USE, band, w);
      Probe.reach(ProbePoint.ROW_DIGEST, w.digests, w.tilesDigest(band), WIDE_LANES);
    }
  }

  static void expectation(float[] max, float[] sums, float[] products, int rows) {
    Probe.reach(ProbePoint.EXPECTATION, max, 0, rows);
    Probe.reach(ProbePoint.EXPECTATION, sums, 0, rows * LANES);
    Probe.reach(ProbePoint.EXPECTATION, products, 0, rows * LANES);
  }

  static void evidence(double[] predicted, double[] shown, double[] tolerance, int row, int rows) {
    Probe.reach(ProbePoint.EVIDENCE, predicted, row, rows);
    Probe.reach(ProbePoint.EVIDENCE, shown, row, rows);
    Probe.reach(ProbePoint.TOLERANCE, tolerance, row, rows);
  }

  static void beforeMerge(AttentionBuffers w) {
    for (int band = 0; band < w.bands; band++) {
      totals(band, w);
      spanTiles(ProbePoint.VALUE_SUMS_READ, band, w);
    }
    Probe.reach(ProbePoint.ROW_MAXIMUM, w.max, 0, w.row[w.bands]);
    Probe.reach(ProbePoint.ROW_MAXIMUM, w.totalMax, 0, w.row[w.bands]);
    Probe.reach(ProbePoint.ROW_SUM, w.sum, 0, w.row[w.bands]);
    Probe.reach(ProbePoint.ROW_SUM, w.totalSum, 0, w.row[w.bands]);
  }

  static void beforeStore(AttentionBuffers w) {
    for (int band = 0; band < w.bands; band++) {
      totals(band, w);
    }
    Probe.reach(ProbePoint.ROW_SUM, w.totalSum, 0, w.row[w.bands]);
  }

  static void afterStore(AttentionProblem p, AttentionRegion region, AttentionBuffers w) {
    for (int band = 0; band < w.bands; band++) {
      for (int r = w.row[band]; r < w.row[band + 1]; r++) {
        int at = w.inBand(band, r);
        Probe.reach(ProbePoint.QUERIES_LAST_USE, w.queries[band], at, p.depth);
        int head = region.headOf(r);
        long query = region.queryOf(r);
        long result = p.result(region.sequence, head, query);
        Probe.reach(ProbePoint.RESULT_STORED, p.out, result, p.columns, 4, p.outStride);
        if (p.lse.address() != 0) {
          Probe.reach(
              ProbePoint.LOG_SUM_STORED, p.lse, p.lseAt(region.sequence, head, query), 1, 4, 0);
        }
      }
      if (p.verify && w.merged[band]) {
        Probe.reach(ProbePoint.ROW_DIGEST, w.digests, w.totalsDigest(band), WIDE_LANES);
      }
    }
  }
}
