package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** One thread's buffers for {@link VectorAttention}: a region in progress. */
final class AttentionBuffers {
  private static final int MAX_ROWS = AttentionRegion.MAX_ROWS;
  private static final int MAX_STRIPS = Math.ceilDiv(MAX_ROWS, TILE_ROWS);
  private static final int STRIP = TILE_ROWS * MicroKernel.STRIP_STRIDE + LANES;

  /** Bytes from a row of scores to the next. */
  static final long SCORE_STRIDE = 4L * AttentionProblem.BLOCK;

  /** Number of strips. */
  int strips;

  /** First row of every strip, and behind the last. */
  final int[] row = new int[MAX_STRIPS + 1];

  /** Strips of scaled queries. */
  final float[][] queries = new float[MAX_STRIPS][STRIP];

  /** Strips of the block's weights: exponentials of its scores. */
  final float[][] weights = new float[MAX_STRIPS][STRIP];

  /** Scores of the block. */
  final MemorySegment scores = Arena.ofAuto().allocate(MAX_ROWS * SCORE_STRIDE, 64);

  /** First key that a row sees, and behind the last. */
  final long[] from = new long[MAX_ROWS];

  final long[] to = new long[MAX_ROWS];

  /** The same for a strip: of any of its rows. */
  final long[] stripFrom = new long[MAX_STRIPS];

  final long[] stripTo = new long[MAX_STRIPS];

  /** Largest score of each row in the span, and sum of its weights. */
  final float[] max = new float[MAX_ROWS];

  final float[] sum = new float[MAX_ROWS];

  /** The same of all spans before. */
  final float[] totalMax = new float[MAX_ROWS];

  final float[] totalSum = new float[MAX_ROWS];

  /** Whether a strip's tiles hold anything of this span, or of those before. */
  final boolean[] started = new boolean[MAX_STRIPS];

  final boolean[] merged = new boolean[MAX_STRIPS];

  /** Weighted sums of values in the span: tiles of a strip side by side. */
  float[] span = {};

  /** The same of all spans before. */
  float[] total = {};

  /** Panels of values. */
  int panels;

  /** What is added to the scores of a row; minus infinity hides a key. */
  final float[] bias = new float[AttentionProblem.BLOCK];

  /** Distances of keys from the query, for linear biases. */
  final float[] distances = new float[AttentionProblem.BLOCK];

  /** A row's weights, added up in lanes. */
  final float[] lanes = new float[AttentionProblem.SUM_LANES];

  /** Digests that kernels add to. */
  final long[] digests = new long[WIDE_LANES];

  /** Keeps the words that kernels touched to bring them near. */
  float touched;

  /** Cuts a region into strips. */
  void open(AttentionProblem p, AttentionRegion region) {
    int rows = region.rows();
    strips = Math.ceilDiv(rows, TILE_ROWS);
    for (int strip = 0; strip <= strips; strip++) {
      row[strip] = strip * rows / strips;
    }
    for (int strip = 0; strip < strips; strip++) {
      stripFrom[strip] = Long.MAX_VALUE;
      stripTo[strip] = 0;
      for (int r = row[strip]; r < row[strip + 1]; r++) {
        from[r] = p.visibility.from(region.sequence, region.queryOf(r));
        to[r] = p.visibility.to(region.sequence, region.queryOf(r));
        if (from[r] < to[r]) {
          stripFrom[strip] = Math.min(stripFrom[strip], from[r]);
          stripTo[strip] = Math.max(stripTo[strip], to[r]);
        }
      }
    }
    panels = Math.ceilDiv(p.columns, TILE_COLUMNS);
    int room = MAX_STRIPS * panels * TILE;
    if (span.length < room) {
      span = new float[room];
      total = new float[room];
    }
    Arrays.fill(totalMax, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(totalSum, 0, rows, 0);
    Arrays.fill(merged, 0, strips, false);
  }

  /** Starts a span. */
  void openSpan() {
    int rows = row[strips];
    Arrays.fill(max, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(sum, 0, rows, 0);
    Arrays.fill(started, 0, strips, false);
  }

  /** Whether a strip sees any key of a block. */
  boolean sees(int strip, long block) {
    return stripFrom[strip] < block + AttentionProblem.BLOCK && stripTo[strip] > block;
  }

  /** Place of a row's weighted sums in a panel's tile. */
  int tileRow(int strip, int panel, int rowInStrip) {
    return tile(strip, panel) + rowInStrip * TILE_COLUMNS;
  }

  /** Place of a tile. */
  int tile(int strip, int panel) {
    return (strip * panels + panel) * TILE;
  }
}
