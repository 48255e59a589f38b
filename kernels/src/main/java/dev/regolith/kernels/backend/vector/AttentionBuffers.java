package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.CHECKING_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.checksum.Digest;
import java.util.Arrays;

/** One thread's buffers for {@link VectorAttention}: a region in progress. */
final class AttentionBuffers {
  private static final int MAX_ROWS = AttentionRegion.MAX_ROWS;
  // A last vector of rows may be no whole one.
  private static final int ROWS = MAX_ROWS + LANES;
  private static final int MAX_STRIPS = Math.ceilDiv(MAX_ROWS, TILE_ROWS);
  private static final int STRIP = TILE_ROWS * MicroKernel.STRIP_STRIDE + LANES;

  private static final int SCORES = AttentionProblem.BLOCK / TILE_COLUMNS * TILE;

  /** Place of the digest of the scores. */
  static final int SCORES_DIGEST = 0;

  /** Place of the digest of the weights. */
  static final int WEIGHTS_DIGEST = WIDE_LANES;

  private static final int TILES = 2;
  private static final int TOTALS = 4;
  private static final int DIGESTS = 3;

  /** Number of strips. */
  int strips;

  /** First row of every strip, and behind the last. */
  final int[] row = new int[MAX_STRIPS + 1];

  /** Strips of scaled queries. */
  final float[][] queries = new float[MAX_STRIPS][STRIP];

  /** One strip's weights in a block: exponentials of its scores. */
  final float[] weights = new float[STRIP];

  /** One strip's scores in a block, in tiles; and what softcap, biases and masks make of them. */
  final float[] scores = new float[SCORES];

  /** Scores before that, of rows that have any of it. */
  final float[] raw = new float[SCORES];

  /** What is made of them, made again. */
  final float[] again = new float[SCORES];

  /** Running sums of the panels that a checking kernel read; grows with the values' size. */
  long[] panelSums = new long[AttentionProblem.BLOCK / TILE_COLUMNS * Digest.SUMS * WIDE_LANES];

  /** Whether a row's scores of the block went through any of that. */
  final boolean[] isTransformed = new boolean[MAX_ROWS];

  /** Largest scores of the block, then what exponents are taken relative to. */
  final float[] reference = new float[ROWS];

  /** Sums of the block's weights. */
  final float[] blockSum = new float[ROWS];

  /** A second copy of them. */
  final float[] blockSumCopy = new float[ROWS];

  /** First key that a row sees, and behind the last. */
  final long[] from = new long[MAX_ROWS];

  final long[] to = new long[MAX_ROWS];

  /** The same for a strip: of any of its rows. */
  final long[] stripFrom = new long[MAX_STRIPS];

  final long[] stripTo = new long[MAX_STRIPS];

  /** Largest score of each row in the span, and sum of its weights. */
  final float[] max = new float[ROWS];

  final float[] sum = new float[ROWS];

  /** A second copy of the sums. */
  final float[] sumCopy = new float[ROWS];

  /** The same of all spans before. */
  final float[] totalMax = new float[MAX_ROWS];

  final float[] totalSum = new float[MAX_ROWS];

  final float[] totalSumCopy = new float[MAX_ROWS];

  /** Whether a strip's tiles hold anything of this span, or of those before. */
  final boolean[] started = new boolean[MAX_STRIPS];

  final boolean[] merged = new boolean[MAX_STRIPS];

  /**
   * Weighted sums of values in the span: tiles of a strip side by side, in two places. From block
   * to block they move to the other one, so that what a kernel loaded is still there to be
   * verified.
   */
  float[] span = {};

  /** The same of all spans before. */
  float[] total = {};

  /** In which of its two places a strip's tiles are. */
  final int[] place = new int[MAX_STRIPS];

  /** Panels of values. */
  int panels;

  private int half;

  /** What is added to the scores of a row; minus infinity hides a key. */
  final float[] bias = new float[AttentionProblem.BLOCK];

  /** Distances of keys from the query, for linear biases. */
  final float[] distances = new float[AttentionProblem.BLOCK];

  /**
   * Digests, a vector each: of scores, of weights; of every strip's tiles in either place, and of
   * its total.
   */
  final long[] digests = new long[(TILES + DIGESTS * MAX_STRIPS) * WIDE_LANES];

  /** By what a row's sums of earlier blocks were multiplied. */
  final float[] decay = new float[ROWS];

  /** What checks need to know of the region. */
  final AttentionChecks checks = new AttentionChecks();

  /** Keeps the words that kernels touched to bring them near. */
  float touched;

  /** Cuts a region into strips. */
  void open(AttentionProblem p, AttentionRegion region) {
    int rows = region.rows();
    strips = Math.ceilDiv(rows, p.checksInline ? CHECKING_ROWS : TILE_ROWS);
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
    half = MAX_STRIPS * panels * TILE;
    if (panelSums.length < panels * Digest.SUMS * WIDE_LANES) {
      panelSums = new long[panels * Digest.SUMS * WIDE_LANES];
    }
    if (total.length < half) {
      span = new float[2 * half];
      total = new float[half];
    }
    Arrays.fill(totalMax, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(totalSum, 0, rows, 0);
    Arrays.fill(totalSumCopy, 0, rows, 0);
    Arrays.fill(merged, 0, strips, false);
    Arrays.fill(digests, 0);
  }

  /** Starts a span. */
  void openSpan() {
    int rows = row[strips];
    Arrays.fill(max, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(sum, 0, rows, 0);
    Arrays.fill(sumCopy, 0, rows, 0);
    Arrays.fill(started, 0, strips, false);
    Arrays.fill(decay, 0, rows, 1);
  }

  /** Whether a strip sees any key of a block. */
  boolean sees(int strip, long block) {
    return stripFrom[strip] < block + AttentionProblem.BLOCK && stripTo[strip] > block;
  }

  /** Columns of scores that a block has, in whole tiles. */
  static int computed(AttentionProblem p, long block) {
    return tilesOf(p, block) * TILE_COLUMNS;
  }

  /** Tiles of scores that a block has, side by side. */
  static int tilesOf(AttentionProblem p, long block) {
    return p.tiles(block / AttentionProblem.BLOCK);
  }

  /** Number of rows of a strip. */
  int rowsOf(int strip) {
    return row[strip + 1] - row[strip];
  }

  /** Place of a row's first score. */
  int scoresAt(int strip, int r) {
    return (r - row[strip]) * TILE_COLUMNS;
  }

  /** Place of a row in its strip. */
  int inStrip(int strip, int r) {
    return (r - row[strip]) * MicroKernel.STRIP_STRIDE;
  }

  /** The last strip that sees a block; -1 if none does. */
  int lastThatSees(long block) {
    int strip = strips - 1;
    while (strip >= 0 && !sees(strip, block)) {
      strip--;
    }
    return strip;
  }

  /** Place of a strip's tile in the total. */
  int tile(int strip, int panel) {
    return (strip * panels + panel) * TILE;
  }

  /** Place of a strip's tile in the span. */
  int spanTile(int strip, int panel) {
    return place[strip] * half + tile(strip, panel);
  }

  /** Where the tile moves to with the next block. */
  int nextSpanTile(int strip, int panel) {
    return (1 - place[strip]) * half + tile(strip, panel);
  }

  /** Place of the digest of a strip's tiles where they are. */
  int tilesDigest(int strip) {
    return (DIGESTS * strip + TILES + place[strip]) * WIDE_LANES;
  }

  /** Place of the digest of a strip's tiles where they move to. */
  int nextTilesDigest(int strip) {
    return (DIGESTS * strip + TILES + 1 - place[strip]) * WIDE_LANES;
  }

  /** Place of the digest of a strip's totals. */
  int totalsDigest(int strip) {
    return (DIGESTS * strip + TOTALS) * WIDE_LANES;
  }

  /** Sets a digest to that of nothing. */
  void clearDigest(int at) {
    Arrays.fill(digests, at, at + WIDE_LANES, 0);
  }

  /** Whether a digest is that of nothing; it is afterwards. */
  boolean takeZero(int at) {
    boolean zero = Strip.isZero(digests, at);
    if (!zero) {
      clearDigest(at);
    }
    return zero;
  }
}
