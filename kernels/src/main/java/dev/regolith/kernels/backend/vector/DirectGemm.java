package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Products that are small enough for the caches: kernels read A and B where they lie, since copies
 * would take a large part of the time. What is summed up, predicted and compared with seals is read
 * from the same places afterwards, so that whatever happened to the operands meanwhile shows.
 */
final class DirectGemm {
  /** Most steps along k for strips of any number, and elements of B: half a usual L2. */
  private static final int DEPTH = 256;

  private static final long ELEMENTS = 1 << 17;

  /** Most rows of which each reads B from further away sooner than it would be packed. */
  private static final int FEW_ROWS = 2 * TILE_ROWS;

  private static final long ELEMENTS_OF_FEW = 1 << 18;

  private static final int LINE = 64;

  private DirectGemm() {}

  /** Whether a product is one of them. */
  static boolean serves(GemmProblem p, MemorySegment source, Range range) {
    boolean few = p.rows <= FEW_ROWS;
    return VectorShapes.MACHINE_CODE
        && p.depth <= (few ? PackedB.DEPTH : DEPTH)
        && p.depth * p.columns <= (few ? ELEMENTS_OF_FEW : ELEMENTS)
        && source.isNative()
        && range.columnStride() == 1;
  }

  /** See {@link Backend#run}. */
  static void run(
      Backend backend, GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    w.open(region.rows, 1, false);
    w.asked = 0;
    if (p.verify) {
      VectorGemm.openEvidence(region, p.b, w);
    }
    for (int block = 0; block < region.blocks; block++) {
      if (Probe.ON) {
        long a = p.aRow(region.matrix, region.row);
        Probe.reach(ProbePoint.A_READ, p.a, a, region.rows, 4 * p.depth, p.aStride);
        probe(ProbePoint.B_READ, p, region, block);
      }
      multiply(p, region, block, w, sink);
      if (Probe.ON) {
        probe(ProbePoint.B_MULTIPLIED, p, region, block);
      }
      if (p.verify) {
        VectorGemm.place(p, region, 0, region.block + block, w);
      }
      OutputTiles.close(p, region, block, w, sink);
    }
    if (p.verify) {
      LeftCopy.copy(p, region, 0, w, sink);
      LeftCopy.predictLate(p, region, 0, w);
      PackedBCheck.verifyRecords(backend, p, region, 0, w.found, w, sink);
      OutputTiles.evidence(p, region, w, sink);
      w.forgetDigests(); // of copies that nobody multiplied
    }
    w.finish();
  }

  /** Multiplies all strips with the columns of a check block. */
  private static void multiply(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    Range range = Objects.requireNonNull(p.bRange);
    long first = (region.block + block) * CheckBlock.COLUMNS;
    int columns = p.b.columnsOf(region.block + block);
    int depth = p.b.depthOf(0);
    int full = columns / TILE_COLUMNS;
    int finished = p.alpha == 1 && p.beta == 0 ? full : 0;
    int panels = Math.ceilDiv(columns, TILE_COLUMNS);
    long b = 4 * range.word(region.matrix, 0, first);
    long bStride = 4 * range.rowStride();
    if (full < panels) {
      // Columns that do not fill a vector: a copy has zeros behind them.
      long at = b + 4L * full * TILE_COLUMNS;
      PanelCopy.fillUp(
          p.bSource, at, bStride, columns - full * TILE_COLUMNS, w.staging, depth, w.raw);
    }
    int strips;
    for (int strip = 0; strip < w.strips; strip += strips) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      strips = w.alike(strip, w.strips);
      long a = p.aRow(region.matrix, region.row + row);
      if (finished > 0) {
        long lines = (long) strips * finished * (depth / MachineKernelWriter.STEPS);
        long ahead = ahead(p, region, lines, w);
        DirectKernel.of(rows, Into.C)
            .multiply(
                p.a,
                a,
                p.aStride,
                strips,
                p.bSource,
                b,
                bStride,
                finished,
                depth,
                w.tiles,
                0,
                w.digests,
                w.blockDigest(row),
                p.c,
                p.cRow(region.matrix, region.row + row) + 4 * first,
                p.cStride,
                ahead,
                ahead == 0 ? 0 : LINE);
      }
      for (int i = 0; i < strips && finished < panels; i++) {
        long top = a + (long) i * rows * p.aStride;
        if (finished < full) {
          tiles(p, top, rows, p.bSource, b, bStride, full, depth, w.lastTiles, w);
        }
        if (full < panels) {
          int to = w.lastTiles + (full - finished) * TILE;
          tiles(p, top, rows, w.staging, 0, 4L * TILE_COLUMNS, 1, depth, to, w);
        }
        OutputTiles.finish(
            p, region, row + i * rows, rows, block, finished, panels - finished, w, sink);
      }
    }
  }

  /** Multiplies one strip into tiles that are not finished yet. */
  private static void tiles(
      GemmProblem p,
      long a,
      int rows,
      MemorySegment b,
      long bAt,
      long bStride,
      int panels,
      int depth,
      int to,
      VectorWorkspace w) {
    DirectKernel.of(rows, Into.TILES)
        .multiply(
            p.a,
            a,
            p.aStride,
            1,
            b,
            bAt,
            bStride,
            panels,
            depth,
            w.tiles,
            to,
            w.digests,
            w.lastDigest,
            MemorySegment.NULL,
            0,
            0,
            0,
            0);
  }

  /**
   * Address of what kernels may ask for meanwhile, so many lines: B, A, then C of the next matrix,
   * where they are dense; 0 if there is nothing.
   */
  private static long ahead(GemmProblem p, Region region, long lines, VectorWorkspace w) {
    long next = region.nextMatrix;
    Range range = Objects.requireNonNull(p.bRange);
    if (next == region.matrix) {
      return 0;
    }
    long at = w.asked;
    w.asked += LINE * lines;
    boolean readsB = range.batch() > 1 && range.rowStride() == p.columns;
    long bytes = readsB ? 4 * p.depth * p.columns : 0;
    if (at < bytes) {
      return p.bSource.address() + 4 * range.word(next, 0, 0) + at;
    }
    at -= bytes;
    boolean readsA = p.aBatchStride > 0 && p.aStride == 4 * p.depth;
    bytes = readsA ? p.rows * p.aStride : 0;
    if (at < bytes) {
      return p.a.address() + p.aRow(next, 0) + at;
    }
    at -= bytes;
    return p.cStride == 4 * p.columns && at < p.rows * p.cStride
        ? p.c.address() + p.cRow(next, 0) + at
        : 0;
  }

  private static void probe(ProbePoint point, GemmProblem p, Region region, int block) {
    Range range = Objects.requireNonNull(p.bRange);
    long first = (region.block + block) * CheckBlock.COLUMNS;
    long b = 4 * range.word(region.matrix, 0, first);
    long bytes = 4L * p.b.columnsOf(region.block + block);
    Probe.reach(point, p.bSource, b, p.b.depthOf(0), bytes, 4 * range.rowStride());
  }
}
