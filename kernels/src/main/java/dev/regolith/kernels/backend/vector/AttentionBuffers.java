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

  /**
   * Rows that a band has room for, in whole strips: more of them would not stay near. They are
   * three vectors that hold a number of each row: of 24 rows, a second vector of sixteen would do
   * eight twice (measured, docs/decisions.md).
   */
  private static final int ROOM = Math.max(24, 3 * LANES);

  /** Strips in a band. */
  private static final int BAND = ROOM / TILE_ROWS;

  private static final int BAND_ROWS = BAND * TILE_ROWS;

  /** A region that is checked inline has one or two, of a strip each. */
  static final int MAX_BANDS = Math.max(2, Math.ceilDiv(MAX_ROWS, BAND_ROWS));

  /** Floats of a copy of a band. */
  static final int BAND_OF_A = BAND_ROWS * MicroKernel.STRIP_STRIDE + LANES;

  private static final int SCORES = BAND_ROWS * MicroKernel.ROW;

  /** Place of the digest of the scores. */
  static final int SCORES_DIGEST = 0;

  /** Place of the digest of the weights. */
  static final int WEIGHTS_DIGEST = WIDE_LANES;

  private static final int TILES = 2;
  private static final int TOTALS = 4;
  private static final int DIGESTS = 3;

  /** Number of bands: rows that go through a block together, a few strips of them. */
  int bands;

  /** First row of every band, and behind the last. */
  final int[] row = new int[MAX_BANDS + 1];

  /** Scaled queries of every band, its strips behind each other. */
  final float[][] queries = new float[MAX_BANDS][BAND_OF_A];

  /** One band's weights in a block: exponentials of its scores. */
  final float[] weights = new float[BAND_OF_A];

  /** One band's scores in a block, in rows; and what softcap, biases and masks make of them. */
  final float[] scores = new float[SCORES];

  /** Scores before that, if there is any of it. */
  final float[] raw = new float[SCORES];

  /** What is made of them, made again. */
  final float[] again = new float[SCORES];

  /** Running sums of the panels that a checking kernel read; grows with the values' size. */
  long[] panelSums = new long[AttentionProblem.BLOCK / TILE_COLUMNS * Digest.SUMS * WIDE_LANES];

  /** Whether the band's scores of the block went through any of that. */
  boolean isTransformed;

  /**
   * Whether the rows are one strip, which reads keys and values of a cache that does not fit L2.
   */
  boolean far;

  /** First key that a row sees. */
  long firstKey;

  /** Behind the last. */
  long lastKey;

  /** Largest scores of the block. */
  final float[] largest = new float[MAX_ROWS];

  /** What exponents are taken relative to. */
  final float[] reference = new float[MAX_ROWS];

  /** Sums of the block's weights. */
  final float[] blockSum = new float[MAX_ROWS];

  /** A second copy of them. */
  final float[] blockSumCopy = new float[MAX_ROWS];

  /** First key that a row sees, and behind the last. */
  final long[] from = new long[MAX_ROWS];

  final long[] to = new long[MAX_ROWS];

  /** The same for a band: of any of its rows. */
  final long[] bandFrom = new long[MAX_BANDS];

  final long[] bandTo = new long[MAX_BANDS];

  /** Largest score of each row in the span, and sum of its weights. */
  final float[] max = new float[MAX_ROWS];

  final float[] sum = new float[MAX_ROWS];

  /** A second copy of the sums. */
  final float[] sumCopy = new float[MAX_ROWS];

  /** The same of all spans before. */
  final float[] totalMax = new float[MAX_ROWS];

  final float[] totalSum = new float[MAX_ROWS];

  final float[] totalSumCopy = new float[MAX_ROWS];

  /** Whether a band's tiles hold anything of this span, or of those before. */
  final boolean[] started = new boolean[MAX_BANDS];

  final boolean[] merged = new boolean[MAX_BANDS];

  /**
   * Weighted sums of values in the span: tiles of a strip side by side, strip after strip, in two
   * places. From block to block they move to the other one, so that what a kernel loaded is still
   * there to be verified.
   */
  float[] span = {};

  /** The same of all spans before. */
  float[] total = {};

  /** In which of its two places a band's tiles are. */
  final int[] place = new int[MAX_BANDS];

  /** Place of each row's part of its strip's first tile, in the total. */
  final int[] rowOfTiles = new int[MAX_ROWS];

  /** Panels of values. */
  int panels;

  private int half;

  /** What is added to the scores of a row; minus infinity hides a key. */
  final float[] bias = new float[AttentionProblem.BLOCK];

  /** Distances of keys from the query, for linear biases. */
  final float[] distances = new float[AttentionProblem.BLOCK];

  /**
   * Digests, a vector each: of scores, of weights; of every band's tiles in either place, and of
   * its total.
   */
  final long[] digests = new long[(TILES + DIGESTS * MAX_BANDS) * WIDE_LANES];

  /** By what a row's sums of earlier blocks were multiplied. */
  final float[] decay = new float[MAX_ROWS];

  /** What checks need to know of the region. */
  final AttentionChecks checks = new AttentionChecks();

  /** Keeps the words that kernels touched to bring them near. */
  float touched;

  /** Cuts a region into bands. */
  void open(AttentionProblem p, AttentionRegion region) {
    int rows = region.rows();
    // Where blocks are checked inline, the last strip to read one does it: each is a band.
    int most = p.checksInline ? CHECKING_ROWS : BAND_ROWS;
    bands = Math.ceilDiv(rows, most);
    for (int band = 0; band <= bands; band++) {
      row[band] = band * rows / bands;
    }
    firstKey = Long.MAX_VALUE;
    lastKey = 0;
    for (int band = 0; band < bands; band++) {
      bandFrom[band] = Long.MAX_VALUE;
      bandTo[band] = 0;
      for (int r = row[band]; r < row[band + 1]; r++) {
        from[r] = p.visibility.from(region.sequence, region.queryOf(r));
        to[r] = p.visibility.to(region.sequence, region.queryOf(r));
        if (from[r] < to[r]) {
          bandFrom[band] = Math.min(bandFrom[band], from[r]);
          bandTo[band] = Math.max(bandTo[band], to[r]);
        }
      }
      firstKey = Math.min(firstKey, bandFrom[band]);
      lastKey = Math.max(lastKey, bandTo[band]);
    }
    // Other heads' and sequences' are read in between.
    long keys = Math.max(0, lastKey - firstKey);
    long floats = p.batch * p.kvHeads * keys * (p.depth + p.columns);
    far = p.pages != null && rows <= TILE_ROWS && floats > DirectGemm.ELEMENTS;
    panels = Math.ceilDiv(p.columns, TILE_COLUMNS);
    half = MAX_BANDS * BAND * panels * TILE;
    if (panelSums.length < panels * Digest.SUMS * WIDE_LANES) {
      panelSums = new long[panels * Digest.SUMS * WIDE_LANES];
    }
    for (int band = 0; band < bands; band++) {
      for (int r = row[band]; r < row[band + 1]; r++) {
        rowOfTiles[r] = rowOfTiles(band, r);
      }
    }
    if (total.length < half) {
      span = new float[2 * half];
      total = new float[half];
    }
    Arrays.fill(totalMax, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(totalSum, 0, rows, 0);
    Arrays.fill(totalSumCopy, 0, rows, 0);
    Arrays.fill(merged, 0, bands, false);
    Arrays.fill(digests, 0);
  }

  /** Starts a span. */
  void openSpan() {
    int rows = row[bands];
    Arrays.fill(max, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(sum, 0, rows, 0);
    Arrays.fill(sumCopy, 0, rows, 0);
    Arrays.fill(started, 0, bands, false);
    Arrays.fill(decay, 0, rows, 1);
  }

  /** Whether a band sees any key of a block. */
  boolean sees(int band, long block) {
    return bandFrom[band] < block + AttentionProblem.BLOCK && bandTo[band] > block;
  }

  /** Columns of scores that a block has, in whole tiles. */
  static int computed(AttentionProblem p, long block) {
    return p.tiles(block / AttentionProblem.BLOCK) * TILE_COLUMNS;
  }

  /** Number of rows of a band. */
  int rowsOf(int band) {
    return row[band + 1] - row[band];
  }

  /** Number of strips of a band. */
  int stripsOf(int band) {
    return Math.ceilDiv(rowsOf(band), TILE_ROWS);
  }

  /** Number of strips of a band that have a row more than the others; they come first. */
  int highStripsOf(int band) {
    return rowsOf(band) % stripsOf(band);
  }

  /** Rows of a band's last strip, and of all that are no higher. */
  int lowRowsOf(int band) {
    return rowsOf(band) / stripsOf(band);
  }

  /** Whether all strips of a band read panels abreast. */
  boolean readsAbreast(int band) {
    int most = Math.ceilDiv(rowsOf(band), stripsOf(band));
    return AbreastKernelWriter.serves(most, far);
  }

  /** Place of a row's first score. */
  int scoresAt(int band, int r) {
    return (r - row[band]) * MicroKernel.ROW;
  }

  /** Place of a row in the copy of its band. */
  int inBand(int band, int r) {
    return (r - row[band]) * MicroKernel.STRIP_STRIDE;
  }

  /** The last band that sees a block; -1 if none does. */
  int lastThatSees(long block) {
    int band = bands - 1;
    while (band >= 0 && !sees(band, block)) {
      band--;
    }
    return band;
  }

  /** Place of a strip's first tile in the total. */
  int tile(int band, int strip) {
    return (band * BAND + strip) * panels * TILE;
  }

  /** First row of a band's strip, counted in the band. */
  int rowOfStrip(int band, int strip) {
    return strip * lowRowsOf(band) + Math.min(strip, highStripsOf(band));
  }

  /** What {@link #rowOfTiles} holds. */
  int rowOfTiles(int band, int r) {
    int i = r - row[band];
    int strip = stripsOf(band) - 1;
    while (rowOfStrip(band, strip) > i) {
      strip--;
    }
    return tile(band, strip) + (i - rowOfStrip(band, strip)) * TILE_COLUMNS;
  }

  /** From a strip's first tile to the next strip's. */
  int stripStep() {
    return panels * TILE;
  }

  /** How far places in the span are from those in the total. */
  int spanOffset(int band) {
    return place[band] * half;
  }

  /** The same where the tiles move to with the next block. */
  int nextSpanOffset(int band) {
    return (1 - place[band]) * half;
  }

  /** Place of the digest of a band's tiles where they are. */
  int tilesDigest(int band) {
    return (DIGESTS * band + TILES + place[band]) * WIDE_LANES;
  }

  /** Place of the digest of a band's tiles where they move to. */
  int nextTilesDigest(int band) {
    return (DIGESTS * band + TILES + 1 - place[band]) * WIDE_LANES;
  }

  /** Place of the digest of a band's totals. */
  int totalsDigest(int band) {
    return (DIGESTS * band + TOTALS) * WIDE_LANES;
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
