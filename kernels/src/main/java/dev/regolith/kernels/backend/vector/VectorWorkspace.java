package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.CheckCoefficients;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Seal;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** One thread's buffers for {@link VectorGemm}; about 2 MiB, allocated once. */
final class VectorWorkspace implements Workspace {
  private static final int MAX_STRIPS = Math.ceilDiv(Region.MAX_ROWS, VectorShapes.TILE_ROWS);
  private static final int TILE_FLOATS = Region.MAX_ROWS * Region.MAX_BLOCKS * CheckBlock.COLUMNS;

  /** The copied strip of A, with room for the padding of its last vector. */
  final float[] strip =
      new float[VectorShapes.TILE_ROWS * MicroKernel.STRIP_STRIDE + VectorShapes.LANES];

  /** Keeps the words that kernels touched to bring them near. */
  int touched;

  /** Sum of the strip's words; subtracting them again must leave zero. */
  final long[] stripDigest = new long[WIDE_LANES];

  /** Tiles: partial sums of two k-blocks in turn, so that what was loaded is still there after. */
  final float[] tiles = new float[2 * TILE_FLOATS + VectorShapes.TILE];

  /** Distance between the two halves of {@link #tiles}. */
  final int tilesHalf = TILE_FLOATS;

  /** A tile on its way to C, behind the parked ones. */
  final int lastTile = 2 * TILE_FLOATS;

  /**
   * Digests, a vector each: of parked tiles, one for a strip's tiles in a check block, in the same
   * two halves; of what was stored into C, one per check block; of the last tile.
   */
  final long[] digests =
      new long[(2 * MAX_STRIPS * Region.MAX_BLOCKS + Region.MAX_BLOCKS + 1) * WIDE_LANES];

  /** Place of the last tile's digest. */
  final int tileDigest = digests.length - WIDE_LANES;

  /** Running sums, see {@link SealLanes}. */
  final long[] raw = new long[SealLanes.RAW];

  /** Folded sums of one block at a time. */
  final long[] folded = new long[SealLanes.FOLDED];

  /** Running sums of the blocks of A in progress, those of a k-block. */
  final long[][] aRaw = new long[PackedB.DEPTH / CheckBlock.COLUMNS][SealLanes.RAW];

  /** What tolerances need to know of the strip. */
  final RowSurvey survey = new RowSurvey();

  /** Running sums of the C blocks in progress. */
  final long[][] cRaw = new long[Region.MAX_BLOCKS][SealLanes.RAW];

  /** A vector of partial sums for every row of a strip. */
  final float[] lanes = new float[VectorShapes.TILE_ROWS * VectorShapes.LANES];

  /** Three sums found. */
  final long[] found = new long[Seal.SUMS];

  /** What rows of A predict. */
  final Prediction prediction = new Prediction();

  /** A row's sums. */
  final double[] rowSums = new double[3];

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

  /** A k-block of a check block's columns, brought into row-major order. */
  final MemorySegment staging =
      Arena.ofAuto().allocate(4L * PackedB.DEPTH * CheckBlock.COLUMNS, 64);

  /** Forgets what a call that broke off left in the running sums. */
  void clear() {
    Arrays.fill(stripDigest, 0);
    Arrays.fill(folded, 0);
    Arrays.fill(digests, 0);
    for (long[] raw : aRaw) {
      Arrays.fill(raw, 0);
    }
    for (long[] raw : cRaw) {
      Arrays.fill(raw, 0);
    }
  }

  /** Place of the digest of a strip's parked tiles in a check block. */
  int partialDigest(int half, int strip, int block) {
    return ((half * MAX_STRIPS + strip) * Region.MAX_BLOCKS + block) * WIDE_LANES;
  }

  /** Place of the digest of what a strip stored into a check block of C. */
  int blockDigest(int block) {
    return (2 * MAX_STRIPS * Region.MAX_BLOCKS + block) * WIDE_LANES;
  }
}
