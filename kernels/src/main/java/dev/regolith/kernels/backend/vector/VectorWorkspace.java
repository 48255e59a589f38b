package dev.regolith.kernels.backend.vector;

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
  private static final int TILE_FLOATS = Region.MAX_ROWS * Region.MAX_BLOCKS * CheckBlock.COLUMNS;

  /** The copied strip of A, with room for the padding of its last vector. */
  final float[] strip =
      new float[VectorShapes.TILE_ROWS * MicroKernel.STRIP_STRIDE + VectorShapes.LANES];

  /** Sum of the strip's words; subtracting them again must leave zero. */
  final long[] stripDigest = new long[VectorShapes.WIDE_LANES];

  /** Tiles: partial sums of two k-blocks in turn, so that what was loaded is still there after. */
  final float[] tiles = new float[2 * TILE_FLOATS];

  /** Distance between the two halves of {@link #tiles}. */
  final int tilesHalf = TILE_FLOATS;

  /** Digests of the tiles, a vector each, in the same two halves. */
  final long[] digests =
      new long
          [2
              * (TILE_FLOATS / (VectorShapes.TILE_ROWS * VectorShapes.TILE_COLUMNS))
              * VectorShapes.WIDE_LANES];

  /** Running sums, see {@link SealLanes}. */
  final long[] raw = new long[SealLanes.RAW];

  /** Folded sums of one block at a time. */
  final long[] folded = new long[SealLanes.FOLDED];

  /** Folded sums of the C blocks in progress. */
  final long[] cFolded = new long[Region.MAX_BLOCKS * SealLanes.FOLDED];

  /** Three sums found. */
  final long[] found = new long[Seal.SUMS];

  /** A row's prediction. */
  final double[] prediction = new double[Prediction.LENGTH];

  /** A row's sums. */
  final double[] rowSums = new double[3];

  /** Evidence of a region. */
  final Evidence evidence = new Evidence();

  /** A k-block of a check block's columns, brought into row-major order. */
  final MemorySegment staging =
      Arena.ofAuto().allocate(4L * PackedB.DEPTH * CheckBlock.COLUMNS, 64);

  /** Forgets what a call that broke off left in the running sums. */
  void clear() {
    Arrays.fill(stripDigest, 0);
    Arrays.fill(folded, 0);
    Arrays.fill(cFolded, 0);
  }
}
