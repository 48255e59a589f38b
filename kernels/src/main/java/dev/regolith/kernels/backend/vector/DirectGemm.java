package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.LeftCheck;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.vector.DirectKernel.Result;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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

  /** Most multiply-adds of a product that is computed twice. */
  private static final long TINY = 40 * 40 * 40;

  private static final int LINE = 64;

  /** Bytes of a row of a panel; where B lies, the next panel's columns are so far away. */
  private static final long ROW_OF_PANEL = 4L * TILE_COLUMNS;

  private DirectGemm() {}

  /** Whether a product with a B of this form is one of them. */
  static boolean serves(GemmProblem p, MemorySegment source, Range range) {
    boolean few = p.rows <= FEW_ROWS;
    return source.isNative()
        && range.columnStride() == 1
        && fits(p, few ? PackedB.DEPTH : DEPTH, few ? ELEMENTS_OF_FEW : ELEMENTS);
  }

  /** Whether a product with packed panels is, of which nobody wants evidence. */
  static boolean servesPanels(GemmProblem p) {
    boolean abreast = p.rows <= MachineKernelWriter.ROWS_ABREAST;
    return !p.verify && !abreast && fits(p, DEPTH, ELEMENTS);
  }

  private static boolean fits(GemmProblem p, int depth, long elements) {
    return VectorShapes.MACHINE_CODE && p.depth <= depth && p.depth * p.columns <= elements;
  }

  /** Whether it takes less to compute it twice than to make evidence. */
  static boolean isTiny(GemmProblem p) {
    return p.alpha == 1 && p.beta == 0 && p.rows * p.depth * p.columns <= TINY;
  }

  /** See {@link Backend#run}. */
  static void run(
      Backend backend, GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    boolean evident = p.verify && !p.isTwice();
    long mark = p.b.repairs().mark();
    w.open(region.rows, 1, false);
    w.asked = 0;
    if (evident) {
      VectorGemm.openEvidence(region, p.b, w);
    }
    for (int block = 0; block < region.blocks; block++) {
      if (Probe.ON) {
        probe(p, region, block, ProbePoint.A_READ, ProbePoint.B_READ);
      }
      if (!p.isDirect()) {
        VectorGemm.place(p, region, 0, region.block + block, w);
        for (int strip = 0; Probe.ON && strip < w.strips; strip++) {
          probePanels(ProbePoint.PACKED_B_READ, p, region, block, w);
        }
      }
      multiply(p, region, block, w, sink);
      if (Probe.ON) {
        probe(p, region, block, ProbePoint.A_PREDICTED, ProbePoint.B_MULTIPLIED);
      }
      if (Probe.ON && !p.isDirect()) {
        probePanels(ProbePoint.PACKED_B_LAST_USE, p, region, block, w);
      }
      if (evident) {
        VectorGemm.place(p, region, 0, region.block + block, w);
      }
      if (p.isTwice()) {
        repeat(p, region, block, w, sink);
      }
      OutputTiles.close(p, region, block, w, sink);
    }
    if (evident) {
      LeftCopy.copy(p, region, 0, w, sink);
      LeftCopy.predictLate(p, region, 0, w);
      PackedBCheck.verifyRecords(backend, p, region, 0, w.found, w, sink);
      OutputTiles.evidence(p, region, w, sink);
      w.forgetDigests(); // of copies that nobody multiplied
      if (!p.b.repairs().noneSince(mark)) {
        // Somebody put a check record right that this region may have read before.
        sink.suspect(p, region, Component.CHECK_VECTOR);
      }
    }
    if (p.isTwice()) {
      LeftCheck.verify(backend, p, region, w.found, w, sink);
    }
    w.finish();
  }

  /** Multiplies all strips with the columns of a check block. */
  private static void multiply(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    int columns = p.b.columnsOf(region.block + block);
    int panels = Math.ceilDiv(columns, TILE_COLUMNS);
    int full = columns / TILE_COLUMNS;
    int finished = p.alpha == 1 && p.beta == 0 ? full : 0;
    if (full < panels && p.isDirect()) {
      stageLast(p, region, block, w);
    }
    int strips;
    for (int strip = 0; strip < w.strips; strip += strips) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      strips = w.alike(strip, w.strips);
      if (finished > 0) {
        into(Result.C, p, region, row, rows, strips, block, finished, w.blockDigest(row), w);
      }
      for (int i = 0; i < strips && finished < panels; i++) {
        int top = row + i * rows;
        tiles(p, region, top, rows, block, finished, full, panels, w);
        OutputTiles.finish(p, region, top, rows, block, finished, panels - finished, w, sink);
      }
    }
  }

  /**
   * Multiplies everything a second time, with other rows together and factors the other way round,
   * and compares with C. Where they differ, a plain loop has the last word.
   */
  private static void repeat(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    if (Probe.ON) {
      OutputTiles.probe(ProbePoint.C_STORED, p, region, block);
    }
    int columns = p.b.columnsOf(region.block + block);
    int panels = Math.ceilDiv(columns, TILE_COLUMNS);
    int full = columns / TILE_COLUMNS;
    for (int top = 0; top < region.rows; top += CheckBlock.ROWS) {
      int left = Math.min(CheckBlock.ROWS, region.rows - top);
      int high = Math.min(left, TILE_ROWS - 1);
      int strips = left / high;
      boolean same = compare(p, region, top, high, strips, block, full, panels, w);
      if (strips * high < left) {
        int row = top + strips * high;
        same &= compare(p, region, row, left % high, 1, block, full, panels, w);
      }
      if (!same && !isRight(p, region, top, left, block)) {
        VectorGemm.suspect(p, region, top, left, block, 1, Component.ARITHMETIC, sink);
      }
    }
  }

  private static boolean compare(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int strips,
      int block,
      int full,
      int panels,
      VectorWorkspace w) {
    if (full > 0) {
      into(Result.COMPARED, p, region, row, rows, strips, block, full, w.lastDigest, w);
    }
    boolean same = w.takeZero(w.lastDigest);
    for (int i = 0; i < strips && full < panels; i++) {
      int top = row + i * rows;
      tiles(p, region, top, rows, block, full, full, panels, w);
      w.takeZero(w.lastDigest);
      int left = p.b.columnsOf(region.block + block) - full * TILE_COLUMNS;
      long first = (region.block + block) * CheckBlock.COLUMNS + (long) full * TILE_COLUMNS;
      for (int j = 0; j < rows; j++) {
        long c = p.cRow(region.matrix, region.row + top + j) + 4 * first;
        for (int k = 0; k < left; k++) {
          int second = Float.floatToRawIntBits(w.tiles[w.lastTiles + j * TILE_COLUMNS + k]);
          same &= second == p.c.get(ValueLayout.JAVA_INT, c + 4L * k);
        }
      }
    }
    return same;
  }

  /** Whether a check block of C is what a plain loop computes; any NaN is as good as another. */
  private static boolean isRight(GemmProblem p, Region region, int row, int rows, int block) {
    Range range = Objects.requireNonNull(p.bRange);
    long first = (region.block + block) * CheckBlock.COLUMNS;
    int columns = p.b.columnsOf(region.block + block);
    for (long i = region.row + row; i < region.row + row + rows; i++) {
      long a = p.aRow(region.matrix, i);
      long c = p.cRow(region.matrix, i) + 4 * first;
      for (int j = 0; j < columns; j++) {
        float sum = 0;
        for (int k = 0; k < p.depth; k++) {
          float x = p.a.get(ValueLayout.JAVA_FLOAT, a + 4L * k);
          long b = 4 * range.word(region.matrix, k, first + j);
          sum = Math.fma(x, p.bSource.get(ValueLayout.JAVA_FLOAT, b), sum);
        }
        float stored = p.c.get(ValueLayout.JAVA_FLOAT, c + 4L * j);
        if (Float.floatToIntBits(sum) != Float.floatToIntBits(stored)) {
          return false;
        }
      }
    }
    return true;
  }

  /** Copies the columns behind the last full panel, zeros behind them. */
  private static void stageLast(GemmProblem p, Region region, int block, VectorWorkspace w) {
    Range range = Objects.requireNonNull(p.bRange);
    int columns = p.b.columnsOf(region.block + block);
    int left = columns % TILE_COLUMNS;
    long first = (region.block + block) * CheckBlock.COLUMNS + columns - left;
    long at = 4 * range.word(region.matrix, 0, first);
    long stride = 4 * range.rowStride();
    PanelCopy.fillUp(p.bSource, at, stride, left, w.staging, p.b.depthOf(0), w.raw);
  }

  /** Multiplies strips with the first panels of a check block, into C or to be compared with it. */
  private static void into(
      Result result,
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int strips,
      int block,
      int panels,
      int digest,
      VectorWorkspace w) {
    Range range = p.isDirect() ? p.bRange : null;
    long first = (region.block + block) * CheckBlock.COLUMNS;
    int depth = p.b.depthOf(0);
    long lines = (long) strips * panels * (depth / MachineKernelWriter.STEPS);
    long ahead = ahead(p, region, lines, w);
    DirectKernel.of(rows, result)
        .multiply(
            p.a,
            p.aRow(region.matrix, region.row + row),
            p.aStride,
            strips,
            range == null ? w.place.memory() : p.bSource,
            range == null ? w.place.offset(0) : 4 * range.word(region.matrix, 0, first),
            range == null ? ROW_OF_PANEL : 4 * range.rowStride(),
            range == null ? w.place.stride() : ROW_OF_PANEL,
            panels,
            depth,
            w.tiles,
            0,
            w.digests,
            digest,
            p.c,
            p.cRow(region.matrix, region.row + row) + 4 * first,
            p.cStride,
            ahead,
            ahead == 0 ? 0 : LINE);
  }

  /** Multiplies one strip with panels from one on, full ones and the copied last, into tiles. */
  private static void tiles(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int block,
      int from,
      int full,
      int panels,
      VectorWorkspace w) {
    Range range = p.isDirect() ? p.bRange : null;
    int to = w.lastTiles;
    if (range == null) {
      tiles(
          p,
          region,
          row,
          rows,
          w.place.memory(),
          w.place.offset(from),
          ROW_OF_PANEL,
          w.place.stride(),
          panels - from,
          to,
          w);
      return;
    }
    if (from < full) {
      long first = (region.block + block) * CheckBlock.COLUMNS + (long) from * TILE_COLUMNS;
      long b = 4 * range.word(region.matrix, 0, first);
      long stride = 4 * range.rowStride();
      tiles(p, region, row, rows, p.bSource, b, stride, ROW_OF_PANEL, full - from, to, w);
    }
    if (full < panels) {
      to += (full - from) * TILE;
      tiles(p, region, row, rows, w.staging, 0, ROW_OF_PANEL, ROW_OF_PANEL, 1, to, w);
    }
  }

  private static void tiles(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      MemorySegment b,
      long bAt,
      long bStride,
      long across,
      int panels,
      int to,
      VectorWorkspace w) {
    DirectKernel.of(rows, Result.TILES)
        .multiply(
            p.a,
            p.aRow(region.matrix, region.row + row),
            p.aStride,
            1,
            b,
            bAt,
            bStride,
            across,
            panels,
            p.b.depthOf(0),
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
    Range range = p.isDirect() ? p.bRange : null;
    if (next == region.matrix) {
      return 0;
    }
    long at = w.asked;
    w.asked += LINE * lines;
    boolean readsB = range != null && range.batch() > 1 && range.rowStride() == p.columns;
    long bytes = readsB ? 4 * p.depth * p.columns : 0;
    if (range != null && at < bytes) {
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

  private static void probePanels(
      ProbePoint point, GemmProblem p, Region region, int block, VectorWorkspace w) {
    VectorGemm.probePanels(point, p.b, 0, 0, p.b.panelsOf(region.block + block), w.place);
  }

  private static void probe(
      GemmProblem p, Region region, int block, ProbePoint ofA, ProbePoint ofB) {
    long a = p.aRow(region.matrix, region.row);
    Probe.reach(ofA, p.a, a, region.rows, 4 * p.depth, p.aStride);
    Range range = p.isDirect() ? p.bRange : null;
    if (range != null) {
      long first = (region.block + block) * CheckBlock.COLUMNS;
      long b = 4 * range.word(region.matrix, 0, first);
      long bytes = 4L * p.b.columnsOf(region.block + block);
      Probe.reach(ofB, p.bSource, b, p.b.depthOf(0), bytes, 4 * range.rowStride());
    }
  }
}
