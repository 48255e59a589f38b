package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.fault.Component;
import java.lang.foreign.MemorySegment;

/**
 * The two products of a band of rows with a block of keys and values, in the micro-kernels of the
 * matrix multiplication. Kernels that read panels abreast are told where the next product's are.
 */
final class AttentionProducts {
  private static final int BLOCK = AttentionProblem.BLOCK;

  private AttentionProducts() {}

  /**
   * Scores of a band: with every panel that holds a key it sees; with every panel, if they are
   * going to be held against the block's check vector.
   */
  static void multiplyKeys(
      AttentionProblem p,
      AttentionRegion region,
      int band,
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
      count = (int) Math.min(count, Math.ceilDiv(w.bandTo[band] - block, TILE_COLUMNS));
    }
    int high = w.highStripsOf(band);
    int low = w.stripsOf(band) - high;
    int rows = w.lowRowsOf(band);
    long ahead = keys.panelStride();
    if (w.readsAbreast(band)) {
      ahead = valuesAt(p, region, block) - address(keys, keys.panelOffset(panel, 0));
    }
    if (high > 0) {
      multiplyKeys(p, keys, panel, count, checks, ahead, band, 0, high, rows + 1, w);
    }
    multiplyKeys(p, keys, panel, count, checks, ahead, band, high, low, rows, w);
    for (int i = 0; checks && i < count; i++) {
      if (!keys.agrees(panel + i, 0, w.panelSums, i * Digest.SUMS * WIDE_LANES)) {
        sink.suspect(p, region, Component.OPERAND_B);
      }
    }
  }

  /**
   * The same for strips of one height.
   *
   * @param first strip of the band
   */
  private static void multiplyKeys(
      AttentionProblem p,
      PackedB keys,
      long panel,
      int count,
      boolean checks,
      long ahead,
      int band,
      int first,
      int strips,
      int rows,
      AttentionBuffers w) {
    int row = w.rowOfStrip(band, first);
    w.touched +=
        MicroKernels.of(rows, false, checks, Into.ROWS, w.far)
            .sweep(
                w.queries[band],
                row * MicroKernel.STRIP_STRIDE,
                strips,
                keys.panels(),
                keys.panelOffset(panel, 0),
                keys.panelStride(),
                count,
                p.depth,
                w.scores,
                0,
                row * MicroKernel.ROW,
                rows * MicroKernel.ROW,
                w.digests,
                AttentionBuffers.SCORES_DIGEST,
                ahead,
                w.panelSums,
                MemorySegment.NULL,
                0,
                0);
  }

  /** Weighted sums of the block's values, on top of what the span has. */
  static void multiplyValues(
      AttentionProblem p,
      AttentionRegion region,
      int band,
      long block,
      boolean checks,
      AttentionBuffers w,
      AttentionSink sink) {
    if (!p.isFinite(region.sequence, region.kvHead, block / BLOCK)) {
      addVisible(p, region, block, band, w);
      return;
    }
    PackedB values = p.values(region.sequence, block / BLOCK);
    long panel = values.panel(p.matrix(region.sequence, region.kvHead), 0);
    int kBlock = p.valueBlock(block / BLOCK);
    long from = valuesOffset(p, region, values, block);
    int steps = p.checksInline ? BLOCK : (int) Math.min(BLOCK, w.bandTo[band] - block);
    int high = w.highStripsOf(band);
    int low = w.stripsOf(band) - high;
    int rows = w.lowRowsOf(band);
    long ahead = values.panelStride();
    if (w.readsAbreast(band)) {
      long next = block + BLOCK;
      ahead = next < w.lastKey ? keysAt(p, region, next) - address(values, from) : 0;
    }
    if (high > 0) {
      multiplyValues(values, from, steps, checks, ahead, band, 0, high, rows + 1, w);
    }
    multiplyValues(values, from, steps, checks, ahead, band, high, low, rows, w);
    for (int i = 0; checks && i < w.panels; i++) {
      if (!values.agrees(panel + i, kBlock, w.panelSums, i * Digest.SUMS * WIDE_LANES)) {
        sink.suspect(p, region, Component.PACKED_B);
      }
    }
  }

  /**
   * The same for strips of one height.
   *
   * @param first strip of the band
   */
  private static void multiplyValues(
      PackedB values,
      long from,
      int steps,
      boolean checks,
      long ahead,
      int band,
      int first,
      int strips,
      int rows,
      AttentionBuffers w) {
    w.touched +=
        MicroKernels.of(rows, w.started[band], checks, Into.TILES, w.far)
            .sweep(
                w.weights,
                w.rowOfStrip(band, first) * MicroKernel.STRIP_STRIDE,
                strips,
                values.panels(),
                from,
                values.panelStride(),
                w.panels,
                steps,
                w.span,
                w.spanOffset(band) + w.tile(band, first),
                w.nextSpanOffset(band) + w.tile(band, first),
                w.stripStep(),
                w.digests,
                w.nextTilesDigest(band),
                ahead,
                w.panelSums,
                MemorySegment.NULL,
                0,
                0);
  }

  /**
   * The same, element by element, where values are infinite or NaN: a weight of zero must not meet
   * those that its row does not see.
   */
  private static void addVisible(
      AttentionProblem p, AttentionRegion region, long block, int band, AttentionBuffers w) {
    Visibility visibility = p.visibility;
    for (int r = w.row[band]; r < w.row[band + 1]; r++) {
      int weights = w.inBand(band, r);
      for (int panel = 0; panel < w.panels; panel++) {
        int from = w.spanOffset(band) + w.rowOfTiles[r] + panel * TILE;
        int to = w.nextSpanOffset(band) + w.rowOfTiles[r] + panel * TILE;
        for (int c = 0; c < TILE_COLUMNS; c++) {
          int column = panel * TILE_COLUMNS + c;
          float sum = w.started[band] ? w.span[from + c] : 0;
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
        AttentionTiles.add(w.span, to, w.digests, w.nextTilesDigest(band));
      }
    }
  }

  /** Address of a block's keys. */
  private static long keysAt(AttentionProblem p, AttentionRegion region, long block) {
    PackedB keys = p.keys(region.sequence, block / BLOCK);
    long panel = keys.panel(p.matrix(region.sequence, region.kvHead), p.keyBlock(block / BLOCK));
    return address(keys, keys.panelOffset(panel, 0));
  }

  /** Address of a block's values. */
  private static long valuesAt(AttentionProblem p, AttentionRegion region, long block) {
    PackedB values = p.values(region.sequence, block / BLOCK);
    return address(values, valuesOffset(p, region, values, block));
  }

  private static long address(PackedB packed, long offset) {
    return packed.panels().address() + offset;
  }

  private static long valuesOffset(
      AttentionProblem p, AttentionRegion region, PackedB values, long block) {
    long panel = values.panel(p.matrix(region.sequence, region.kvHead), 0);
    return values.panelOffset(panel, p.valueBlock(block / BLOCK))
        + 4L * TILE_COLUMNS * p.valueStep(block / BLOCK);
  }
}
