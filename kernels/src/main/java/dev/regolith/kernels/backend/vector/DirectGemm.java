package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.ResultProbe;
import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.machine.Processor;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Products that are small enough for the caches: kernels read A and B where they lie, since copies
 * would take a large part of the time. What is summed up, predicted and compared with seals is read
 * from the same places afterwards, so that whatever happened to the operands meanwhile shows.
 */
final class DirectGemm {
  /** Most elements of B: as many as fit L2. */
  static final long ELEMENTS =
      VectorShapes.MACHINE_CODE ? Processor.levelTwoBytes() / Float.BYTES : 0;

  /** Most rows of which each reads B from further away sooner than it would be packed. */
  private static final int FEW_ROWS = 2 * TILE_ROWS;

  /**
   * Most elements of panels for few rows: a larger B comes from further away, and other kernels ask
   * for it ahead, or read it abreast.
   */
  private static final long PANELS_OF_FEW = Math.min(ELEMENTS, 1 << 17);

  /**
   * Sums of columns read panels once more, and checks of rows cost something for every row: the
   * former take less if a region has more than one row in so many columns.
   */
  private static final int COLUMNS_OF_A_ROW = 4;

  /**
   * Most multiply-adds of a call: some ten microseconds in which the JVM cannot stop the thread.
   */
  private static final long CALL = 1 << 20;

  /**
   * Most steps along k if rows of A are a multiple of so many bytes apart: then they share a few
   * sets of L1.
   */
  private static final int DEPTH_IN_STEP = 256;

  private static final int IN_STEP = 2048;

  private static final int LINE = 64;

  private DirectGemm() {}

  /** Whether a product with a B of this form is one of them. */
  static boolean serves(GemmProblem p, MemorySegment source, Range range) {
    boolean few = p.rows <= FEW_ROWS;
    return source.isNative() && range.columnStride() == 1 && fits(p, few ? 2 * ELEMENTS : ELEMENTS);
  }

  /**
   * Whether a region of a product with packed panels is: with evidence, if it has so many rows that
   * checks of columns take less, and if panels were packed ahead. A fresh B's have their check
   * records made anyway.
   */
  static boolean servesPanels(GemmProblem p, Region region) {
    if (p.verify) {
      boolean many = region.rows > PackedBCheck.columns(region, p.b) / COLUMNS_OF_A_ROW;
      return many && p.packedAhead && fits(p, ELEMENTS);
    }
    boolean abreast = p.rows <= AbreastKernelWriter.ROWS;
    boolean few = p.rows <= FEW_ROWS;
    return !abreast && fits(p, few ? PANELS_OF_FEW : ELEMENTS);
  }

  private static boolean fits(GemmProblem p, long elements) {
    boolean inStep = p.aStride % IN_STEP == 0 && p.rows > FEW_ROWS;
    return VectorShapes.MACHINE_CODE
        && p.depth <= (inStep ? DEPTH_IN_STEP : PackedB.DEPTH)
        && p.depth * p.columns <= elements;
  }

  /** Whether what kernels compute is the result. */
  private static boolean finishes(GemmProblem p) {
    return p.alpha == 1 && p.beta == 0;
  }

  /** See {@link Backend#smallProducts}. */
  static String description() {
    return VectorShapes.MACHINE_CODE
        ? "in place with a B of up to %d elements, columns checked; weights: if rows > columns / %d"
            .formatted(ELEMENTS, COLUMNS_OF_A_ROW)
        : "as large ones";
  }

  /** See {@link Backend#run}. */
  static void run(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    if (p.verify) {
      w.open(region.rows, false);
    } else {
      w.openEvenly(region.rows);
    }
    w.asked = 0;
    long mark = p.b.repairs().mark();
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
      if (p.verify) {
        ColumnChecks.show(p, region, block, w, sink);
      } else if (Probe.ON) {
        ResultProbe.reach(ProbePoint.C_STORED, p, region, block);
        ResultProbe.reach(ProbePoint.C_CHECKED, p, region, block);
      }
    }
    if (p.verify) {
      ColumnChecks.verify(p, region, w, sink);
    }
    w.finish();
    if (p.verify && !p.b.repairs().noneSince(mark)) {
      // Somebody put a word back that this region may have read before.
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  /** Multiplies all strips with the columns of a check block. */
  private static void multiply(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    int columns = p.b.columnsOf(region.block + block);
    int panels = Math.ceilDiv(columns, TILE_COLUMNS);
    int full = columns / TILE_COLUMNS;
    boolean finishes = finishes(p);
    boolean stages = p.isDirect() && !finishes && full < panels;
    Columns b = open(p, region, block, w);
    if (stages) {
      stageLast(p, region, block, w);
    }
    int strips;
    for (int strip = 0; strip < w.strips; strip += strips) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      long ofStrip = (long) rows * columns * p.b.depthOf(0);
      strips = Math.clamp(CALL / Math.max(1, ofStrip), 1, w.alike(strip, w.strips));
      if (finishes) {
        intoC(p, region, row, rows, strips, block, w.blockDigest(row), w);
        continue;
      }
      for (int i = 0; i < strips; i++) {
        int top = row + i * rows;
        int inPlace = stages ? full : panels;
        if (inPlace > 0) {
          tiles(p, region, top, rows, b, inPlace, w.lastTiles, w);
        }
        if (stages) {
          tiles(p, region, top, rows, w.stagedColumns, 1, w.lastTiles + full * TILE, w);
        }
        OutputTiles.finish(p, region, top, rows, block, 0, panels, w, sink);
      }
    }
    if (stages && Probe.ON) {
      probeStaged(ProbePoint.PACKED_B_LAST_USE, p, w);
    }
    if (stages && p.verify && !areStagedIntact(p, w)) {
      VectorGemm.suspect(p, region, 0, region.rows, block, 1, Component.PACKED_B, sink);
    }
  }

  /**
   * Multiplies strips with the panels of a check block, of which the last may have fewer columns,
   * into C.
   */
  private static void intoC(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int strips,
      int block,
      int digest,
      VectorWorkspace w) {
    int columns = p.b.columnsOf(region.block + block);
    int full = columns / TILE_COLUMNS;
    long c = p.cRow(region.matrix, region.row + row) + firstColumn(region, block);
    Columns b = w.columns;
    if (full > 0) {
      long ahead = ahead(p, region, (long) strips * full, w);
      call(
          Into.C,
          p,
          region,
          row,
          rows,
          strips,
          b,
          0,
          full,
          TILE_COLUMNS,
          0,
          digest,
          p.c,
          c,
          p.cStride,
          ahead,
          w);
    }
    int left = columns % TILE_COLUMNS;
    if (left > 0) {
      long ahead = ahead(p, region, strips, w);
      c += full * Columns.PANEL;
      call(
          Into.C, p, region, row, rows, strips, b, full, 1, left, 0, digest, p.c, c, p.cStride,
          ahead, w);
    }
  }

  /** Where a check block's columns of B are. */
  static final class Columns {
    /** Bytes of a panel's row. */
    static final long PANEL = 4L * TILE_COLUMNS;

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private MemorySegment memory = MemorySegment.NULL;
    private long at;
    private long rowStride;
    private long panelStride;

    private Columns set(MemorySegment where, long first, long fromRow, long fromPanel) {
      memory = where;
      at = first;
      rowStride = fromRow;
      panelStride = fromPanel;
      return this;
    }

    /** Where a column of the check block starts. */
    long column(int column) {
      return at + column / TILE_COLUMNS * panelStride + 4L * (column % TILE_COLUMNS);
    }

    /** An element, from where its column starts. */
    float get(long column, int k) {
      return memory.get(FLOAT, column + k * rowStride);
    }

    /** Lets go of memory that somebody else keeps. */
    void forget() {
      memory = MemorySegment.NULL;
    }
  }

  /** Where a check block's columns are: of B where it lies, or of the panels in place. */
  static Columns open(GemmProblem p, Region region, int block, VectorWorkspace w) {
    Range range = p.bRange;
    if (!p.isDirect() || range == null) {
      PanelPlace place = w.place;
      return w.columns.set(place.memory(), place.offset(0), Columns.PANEL, place.stride());
    }
    long b = 4 * range.word(region.matrix, 0, 0) + firstColumn(region, block);
    return w.columns.set(p.bSource, b, 4 * range.rowStride(), Columns.PANEL);
  }

  static long firstColumn(Region region, int block) {
    return 4 * (region.block + block) * CheckBlock.COLUMNS;
  }

  /** Copies the columns behind the last full panel, zeros behind them. */
  private static void stageLast(GemmProblem p, Region region, int block, VectorWorkspace w) {
    Columns b = w.columns;
    int columns = p.b.columnsOf(region.block + block);
    int full = columns / TILE_COLUMNS;
    int left = columns % TILE_COLUMNS;
    long from = b.at + full * Columns.PANEL;
    w.stagedSum =
        PanelCopy.fillUp(b.memory, from, b.rowStride, left, w.staging, p.b.depthOf(0), w.raw);
    w.stagedColumns.set(w.staging, 0, Columns.PANEL, Columns.PANEL);
    if (Probe.ON) {
      probeStaged(ProbePoint.PACKED_B_READ, p, w);
    }
  }

  /** Whether the copied columns are, after their last use, what was copied. */
  private static boolean areStagedIntact(GemmProblem p, VectorWorkspace w) {
    int words = p.b.panelWords(0);
    BlockPass.scan(w.staging, 0, 0, 1, words, w.raw);
    SealLanes.finish(w.raw, words / LANES, w.found, 0);
    return w.found[0] == w.stagedSum;
  }

  /** Multiplies one strip with panels, into tiles that are not finished yet. */
  private static void tiles(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      Columns b,
      int count,
      int to,
      VectorWorkspace w) {
    MemorySegment none = MemorySegment.NULL;
    call(
        Into.TILES,
        p,
        region,
        row,
        rows,
        1,
        b,
        0,
        count,
        TILE_COLUMNS,
        to,
        w.lastDigest,
        none,
        0,
        0,
        0,
        w);
  }

  private static void call(
      Into into,
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int strips,
      Columns b,
      int from,
      int count,
      int columns,
      int to,
      int digest,
      MemorySegment c,
      long cAt,
      long cStride,
      long ahead,
      VectorWorkspace w) {
    DirectKernel.of(rows, into, columns)
        .multiply(
            p.a,
            p.aRow(region.matrix, region.row + row),
            p.aStride,
            strips,
            b.memory,
            b.at + from * b.panelStride,
            b.rowStride,
            b.panelStride,
            count,
            columns,
            p.b.depthOf(0),
            w.tiles,
            to,
            w.digests,
            digest,
            c,
            cAt,
            cStride,
            ahead == 0 ? b.memory.address() + b.at : ahead,
            ahead == 0 ? 0 : LINE);
  }

  /**
   * Address of what kernels may ask for during so many tiles: B, A, then C of the next matrix,
   * where they are dense; 0 if there is nothing.
   */
  private static long ahead(GemmProblem p, Region region, long tiles, VectorWorkspace w) {
    long next = region.nextMatrix;
    Range range = p.isDirect() ? p.bRange : null;
    if (next == region.matrix) {
      return 0;
    }
    long at = w.asked;
    w.asked += LINE * tiles * (p.b.depthOf(0) / MachineKernelWriter.STEPS);
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

  private static void probeStaged(ProbePoint point, GemmProblem p, VectorWorkspace w) {
    Probe.reach(point, w.staging, 0, 1, 4L * p.b.panelWords(0), 0);
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
