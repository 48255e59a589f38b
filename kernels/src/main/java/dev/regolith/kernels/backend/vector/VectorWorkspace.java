package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.CHECKING_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.CheckCoefficients;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Seal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One thread's buffers for {@link VectorGemm}; allocated once. */
final class VectorWorkspace implements Workspace {
  /** Strips of fewer rows wait for the latency of their own multiply-adds. */
  private static final int LOW = 4;

  /** Check blocks below each other. */
  private static final int DOWN = Region.MAX_ROWS / CheckBlock.ROWS;

  /** Places of a check block's tiles that the next k-block reloads at once, taken in turn. */
  private static final int NEAR = 2;

  private static final int MAX_STRIPS = DOWN * stripsOf(CheckBlock.ROWS) + 2;

  /** Place of the digests of copies: behind those of parked tiles. */
  private static final int COPY_DIGESTS = 2 * MAX_STRIPS * Region.MAX_BLOCKS * WIDE_LANES;

  /** Panels of a check block. */
  static final int PANELS = CheckBlock.COLUMNS / VectorShapes.TILE_COLUMNS;

  /** Whether a region is in progress, or broke off and left its sums behind. */
  private boolean inUse;

  private boolean stripsOfCheckBlocks;

  /** Where a check block's columns of B are, and a copy of those that fill no panel. */
  final DirectGemm.Columns columns = new DirectGemm.Columns();

  final DirectGemm.Columns stagedColumns = new DirectGemm.Columns();

  /** Sum of the words of this copy. */
  long stagedSum;

  /** Bytes of the next matrices that kernels of this region have asked for. */
  long asked;

  /** Check blocks of the region below each other. */
  private int down;

  /**
   * K-blocks that are copied together, and then meet a check block's columns one after the other:
   * as many as there is room for; one, if B is packed meanwhile.
   */
  int copies = 1;

  /** Whether the first strip of the open region reads panels from memory. */
  boolean far;

  /** How often k-blocks are copied. */
  private int turns;

  /** Number of strips of the region. */
  int strips;

  /** First row of every strip, and behind the last. */
  final int[] row = new int[MAX_STRIPS + 1];

  /** The copied rows of A, one strip's behind the other's, and the padding of the last vector. */
  final float[] copied = new float[Region.MAX_ROWS * MicroKernel.STRIP_STRIDE + LANES];

  /** Keeps the words that kernels touched to bring them near. */
  float touched;

  /**
   * Tiles: a strip's last ones on their way to C, then partial sums, of a check block and of all of
   * them. Grows with the products that need it.
   */
  float[] tiles = new float[PANELS * TILE];

  /** Place of the last tiles. */
  final int lastTiles = 0;

  /**
   * Digests, a vector each: of parked tiles, one for a strip's tiles in a check block, of this
   * k-block and of the last; of the copies and of what was stored into C, one for a check block's
   * rows; of the last tiles.
   */
  final long[] digests = new long[COPY_DIGESTS + (2 * DOWN + 1) * WIDE_LANES];

  /** Place of the last tiles' digest. */
  final int lastDigest = digests.length - WIDE_LANES;

  /** Running sums of the panels that a checking kernel read, or that were packed. */
  final long[] panelSums = new long[PANELS * Math.max(Digest.SUMS * WIDE_LANES, SealLanes.RAW)];

  /** Running sums, see {@link SealLanes}. */
  final long[] raw = new long[SealLanes.RAW];

  /** What tolerances need to know of check blocks' rows; see {@link #survey}. */
  private final @Nullable RowSurvey[] surveys = new @Nullable RowSurvey[DOWN];

  /** Where the panels are that are multiplied with, or packed. */
  final PanelPlace place = new PanelPlace();

  /** A vector of partial sums for every row of a check block. */
  final float[] lanes = new float[CheckBlock.ROWS * LANES];

  /** Rows of a check block that are being read. */
  final BlockView view = new BlockView();

  /** Blocks whose columns are being added up. */
  final Blocks blocks = new Blocks();

  /** Sums of columns, from which products are checked that are multiplied where they lie. */
  final ColumnSums columnSums = new ColumnSums();

  /** Three sums found. */
  final long[] found = new long[Seal.SUMS];

  /** What rows of A predict. */
  final Prediction prediction = new Prediction();

  /** A row's sums. */
  final double[] rowSums = new double[3];

  /** What a k-block of B that is being packed makes of its rows. */
  final PanelCopy.Survey packing = new PanelCopy.Survey();

  /** Signed sum of a row of the old C. */
  double oldSigned;

  /** Sum of its squares. */
  double oldSquares;

  /** A check record in the making. */
  final int[] record = new int[PackedB.MAX_RECORD_WORDS];

  /** Its coefficients. */
  final CheckCoefficients coefficients = new CheckCoefficients();

  /** Evidence of a region. */
  final Evidence evidence = new Evidence();

  /** A k-block of a panel's columns, brought into row-major order, or filled up with zeros. */
  final MemorySegment staging =
      Arena.ofAuto().allocate(4L * PackedB.DEPTH * VectorShapes.TILE_COLUMNS, 64);

  private @Nullable AttentionBuffers attention;

  /** Buffers for attention, made when they are first asked for. */
  AttentionBuffers attention() {
    var buffers = attention;
    if (buffers == null) {
      buffers = new AttentionBuffers();
      attention = buffers;
    }
    return buffers;
  }

  /**
   * Cuts a region into strips, the last one small enough to be multiplied by a checking kernel, and
   * forgets what a call that broke off left behind.
   */
  void open(int rows, boolean verify) {
    strips = 0;
    for (int top = 0; top < rows; top += CheckBlock.ROWS) {
      int left = Math.min(CheckBlock.ROWS, rows - top);
      int checked = verify && left == rows - top ? checkedOf(left) : 0;
      int count = stripsOf(left - checked);
      for (int i = 0; i < count; i++) {
        row[strips++] = top + i * (left - checked) / count;
      }
      if (checked > 0) {
        row[strips++] = rows - checked;
      }
    }
    row[strips] = rows;
    begin(true);
  }

  /**
   * Makes room for copies of the open region's rows, and for tiles between k-blocks.
   *
   * @param packs whether B is packed meanwhile
   */
  void openCopies(int kBlocks, boolean packs) {
    down = (int) CheckBlock.down(row[strips]);
    copies = packs ? 1 : Math.min(kBlocks, DOWN / down);
    turns = Math.ceilDiv(kBlocks, copies);
    long places = turns > 1 ? NEAR + Region.MAX_BLOCKS : kBlocks > 1 ? NEAR : 0;
    int room = Math.toIntExact((places * MAX_STRIPS + turns) * PANELS * TILE);
    tiles = tiles.length < room ? new float[room] : tiles;
  }

  /**
   * The same where no kernel checks, and strips need not keep to check blocks: they have two
   * heights at most.
   */
  void openEvenly(int rows) {
    strips = Math.max(1, stripsOf(rows));
    int low = rows / strips;
    int high = rows - low * strips;
    for (int i = 0; i <= strips; i++) {
      row[i] = low * i + Math.min(i, high);
    }
    begin(false);
  }

  private void begin(boolean ofCheckBlocks) {
    stripsOfCheckBlocks = ofCheckBlocks;
    if (inUse) {
      Arrays.fill(digests, 0);
    }
    inUse = true;
  }

  /** The region is done, and every sum taken. */
  void finish() {
    inUse = false;
    place.forget();
    columns.forget();
    view.forget();
    blocks.forget();
  }

  /** How many of the last rows a checking kernel multiplies: neither it nor the rest is too low. */
  private static int checkedOf(int rows) {
    if (rows <= CHECKING_ROWS) {
      return rows;
    }
    return rows < CHECKING_ROWS + LOW ? rows / 2 : CHECKING_ROWS;
  }

  private static int stripsOf(int rows) {
    return Math.ceilDiv(rows, TILE_ROWS);
  }

  /** The k-block after those that were copied together with a first one. */
  int endOfCopies(int first, PackedB b) {
    return Math.min(first + copies, b.kBlocks());
  }

  /**
   * Place of the first strip's first tile of a check block that a k-block parks. What waits for
   * other check blocks moves down by one strip's place from turn to turn: what a sweep loads is
   * still there when it has stored, to be verified, and nothing is kept twice.
   */
  int tileAt(int kBlock, int block) {
    int step = kBlock % copies;
    int place =
        step < copies - 1
            ? step % NEAR * MAX_STRIPS
            : (NEAR + block) * MAX_STRIPS + turns - 1 - kBlock / copies;
    return (1 + place) * PANELS * TILE;
  }

  /** Place of the digest of a strip's parked tiles in a check block. */
  int partialDigest(int half, int strip, int block) {
    return ((half * MAX_STRIPS + strip) * Region.MAX_BLOCKS + block) * WIDE_LANES;
  }

  /**
   * How many strips, from one on and before an end, have its height and, where strips were cut so,
   * its check block.
   */
  int alike(int strip, int end) {
    int rows = row[strip + 1] - row[strip];
    int below =
        stripsOfCheckBlocks
            ? (row[strip] / CheckBlock.ROWS + 1) * CheckBlock.ROWS
            : Integer.MAX_VALUE;
    int next = strip + 1;
    while (next < end && row[next] < below && row[next + 1] - row[next] == rows) {
      next++;
    }
    return next - strip;
  }

  /** Place of a k-block of a row's copy. */
  int copyAt(int row, int kBlock) {
    return (kBlock % copies * down * CheckBlock.ROWS + row) * MicroKernel.STRIP_STRIDE;
  }

  /** Place of the digest of a k-block of a check block's copied rows. */
  int copyDigest(int row, int kBlock) {
    int place = kBlock % copies * down + row / CheckBlock.ROWS;
    return COPY_DIGESTS + place * WIDE_LANES;
  }

  /** Place of the digest of what was stored into a check block of C in progress. */
  int blockDigest(int row) {
    return COPY_DIGESTS + (DOWN + row / CheckBlock.ROWS) * WIDE_LANES;
  }

  /** What tolerances need to know of a check block's rows; made when it is first asked for. */
  RowSurvey survey(int checkBlock) {
    RowSurvey survey = surveys[checkBlock];
    if (survey == null) {
      survey = new RowSurvey();
      surveys[checkBlock] = survey;
    }
    return survey;
  }

  @Override
  public void close() {
    place.close();
  }

  /** Drops the digests of copied rows and of C, where nobody multiplied or stored registers. */
  void forgetDigests() {
    Arrays.fill(digests, COPY_DIGESTS, lastDigest, 0);
  }

  /** Whether a digest is zero; it is afterwards. */
  boolean takeZero(int digest) {
    boolean zero = Strip.isZero(digests, digest);
    if (!zero) {
      Arrays.fill(digests, digest, digest + WIDE_LANES, 0);
    }
    return zero;
  }
}
