package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.ResultProbe;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/**
 * Products of a few rows with a fresh B that comes from memory: what takes long is to read it, and
 * packing it takes longer still. It is multiplied where it lies, a slab at a time, which is as many
 * of its rows as its seals are for, and stays near until the checks have read it too. Sums stay in
 * C from slab to slab.
 */
final class SkinnyGemm {
  /**
   * Most rows of A and C: with more, what is loaded and stored of C takes longer than packing B.
   */
  private static final int ROWS = 12;

  /** Rows of a slab. */
  private static final int STEPS = CheckBlock.ROWS;

  /**
   * Most rows times steps of a product that is checked: up to there a tolerance is below that of
   * any small product (docs/numerics.md).
   */
  private static final long CHECKED = 1 << 17;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private SkinnyGemm() {}

  /**
   * Whether a product with a B of this form is one of them. A B that a whole batch shares is packed
   * once for all.
   */
  static boolean serves(GemmProblem p, MemorySegment source, Range range) {
    return VectorShapes.MACHINE_CODE
        && source.isNative()
        && range.columnStride() == 1
        && p.batch == range.batch()
        && p.rows <= ROWS
        && p.depth <= (p.verify ? CHECKED / p.rows : Integer.MAX_VALUE - STEPS)
        && p.alpha == 1
        && p.beta == 0;
  }

  /** See {@link Backend#smallProducts}. */
  static String description() {
    return VectorShapes.MACHINE_CODE
        ? "; up to %d rows with any fresh B in place, %d steps at a time".formatted(ROWS, STEPS)
        : "";
  }

  /** See {@link Backend#run}. */
  static void run(
      Backend backend, GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    Range range = Objects.requireNonNull(p.bRange);
    int depth = (int) p.depth;
    w.openEvenly(region.rows);
    clearC(p, region);
    if (p.verify) {
      ColumnChecks.open(p, region, w);
    }
    if (Probe.ON) {
      probeLeft(ProbePoint.A_READ, p, region, 0, depth);
      probeRight(ProbePoint.B_READ, p, region, range, 0, depth);
    }
    for (int k = 0; k < depth; k += STEPS) {
      int steps = Math.min(STEPS, depth - k);
      // Who reads a slab last asks for the next, each word by the one above it.
      long ahead = k + steps < depth ? 4 * STEPS * range.rowStride() : 0;
      multiply(p, region, range, k, steps, p.verify ? 0 : ahead, w);
      if (Probe.ON) {
        probeLeft(ProbePoint.A_PREDICTED, p, region, k, steps);
        probeRight(ProbePoint.B_MULTIPLIED, p, region, range, k, steps);
      }
      if (p.verify) {
        ColumnChecks.predict(p, region, k, steps, ahead, w, sink);
      }
    }
    if (p.verify) {
      ColumnChecks.verifyPredicted(backend, p, region, w, sink);
    } else if (Probe.ON) {
      for (int block = 0; block < region.blocks; block++) {
        ResultProbe.reach(ProbePoint.C_STORED, p, region, block);
        ResultProbe.reach(ProbePoint.C_CHECKED, p, region, block);
      }
    }
    w.finish();
  }

  /** First byte of a row of a region of C. */
  private static long c(GemmProblem p, Region region, int row) {
    return p.cRow(region.matrix, region.row + row) + DirectGemm.firstColumn(region, 0);
  }

  /** First byte of a row of a region's columns of B. */
  private static long b(Region region, Range range, int k) {
    return 4 * range.word(region.matrix, k, 0) + DirectGemm.firstColumn(region, 0);
  }

  /** Zeros in place of C, for chains to start from. */
  private static void clearC(GemmProblem p, Region region) {
    MemorySegment c = VectorShapes.known(p.c);
    int columns = PackedBCheck.columns(region, p.b);
    for (int row = 0; row < region.rows; row++) {
      long first = c(p, region, row);
      int column = 0;
      for (; column + LANES <= columns; column += LANES) {
        FloatVector.zero(FLOATS).intoMemorySegment(c, first + 4L * column, ORDER);
      }
      for (; column < columns; column++) {
        c.set(FLOAT, first + 4L * column, 0);
      }
    }
  }

  /** Adds the product of a slab to C. */
  private static void multiply(
      GemmProblem p, Region region, Range range, int k, int steps, long ahead, VectorWorkspace w) {
    if (Probe.ON) {
      long bytes = 4L * PackedBCheck.columns(region, p.b);
      Probe.reach(ProbePoint.PARTIAL_SUM_READ, p.c, c(p, region, 0), region.rows, bytes, p.cStride);
    }
    if (region.rows > GaxpyKernel.ROWS) {
      multiplyTiles(p, region, range, k, steps, ahead, w);
      return;
    }
    int together = GaxpyKernel.stepsOf(region.rows);
    int groups = steps / together;
    if (groups > 0) {
      addRows(p, region, range, k, together, groups, w);
    }
    int left = steps - groups * together;
    if (left > 0) {
      addRows(p, region, range, k + groups * together, left, 1, w);
    }
  }

  private static void addRows(
      GemmProblem p,
      Region region,
      Range range,
      int k,
      int together,
      int groups,
      VectorWorkspace w) {
    GaxpyKernel.of(region.rows, together)
        .add(
            p.a,
            p.aRow(region.matrix, region.row) + 4L * k,
            p.aStride,
            p.bSource,
            b(region, range, k),
            4 * range.rowStride(),
            groups,
            PackedBCheck.columns(region, p.b),
            p.c,
            c(p, region, 0),
            p.cStride,
            w.digests,
            w.blockDigest(0));
  }

  /** More rows: tiles of C, from C and back. */
  private static void multiplyTiles(
      GemmProblem p, Region region, Range range, int k, int steps, long ahead, VectorWorkspace w) {
    int columns = PackedBCheck.columns(region, p.b);
    int panels = columns / TILE_COLUMNS;
    int left = columns % TILE_COLUMNS;
    if (panels > 0) {
      multiplyTiles(p, region, range, k, steps, 0, panels, TILE_COLUMNS, ahead, w);
    }
    if (left > 0) {
      multiplyTiles(p, region, range, k, steps, panels, 1, left, ahead, w);
    }
  }

  private static void multiplyTiles(
      GemmProblem p,
      Region region,
      Range range,
      int k,
      int steps,
      int panel,
      int panels,
      int columns,
      long ahead,
      VectorWorkspace w) {
    long column = panel * DirectGemm.Columns.PANEL;
    int strips;
    for (int strip = 0; strip < w.strips; strip += strips) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      strips = w.alike(strip, w.strips);
      DirectKernel.continuing(rows, columns)
          .multiply(
              p.a,
              p.aRow(region.matrix, region.row + row) + 4L * k,
              p.aStride,
              strips,
              p.bSource,
              b(region, range, k) + column,
              4 * range.rowStride(),
              DirectGemm.Columns.PANEL,
              panels,
              columns,
              steps,
              w.tiles,
              0,
              w.digests,
              w.blockDigest(0),
              p.c,
              c(p, region, row) + column,
              p.cStride,
              ahead,
              0);
    }
  }

  private static void probeLeft(ProbePoint point, GemmProblem p, Region region, int k, int steps) {
    long a = p.aRow(region.matrix, region.row) + 4L * k;
    Probe.reach(point, p.a, a, region.rows, 4L * steps, p.aStride);
  }

  private static void probeRight(
      ProbePoint point, GemmProblem p, Region region, Range range, int k, int steps) {
    long bytes = 4L * PackedBCheck.columns(region, p.b);
    Probe.reach(point, p.bSource, b(region, range, k), steps, bytes, 4 * range.rowStride());
  }
}
