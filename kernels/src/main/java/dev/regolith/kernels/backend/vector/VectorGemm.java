package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorWorkspace.PANELS;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Matrix multiplication with the Vector API, or with machine code in its place.
 *
 * <p>Loop order within a region (at most 288 x 3072 of C): as many k-blocks of 512 steps as there
 * is room to copy A for, check blocks of 128 columns, each of these k-blocks, strips of up to
 * {@link VectorShapes#TILE_ROWS} rows, panels of {@link VectorShapes#TILE_COLUMNS} columns. The
 * region's rows of A are copied once per k-block; a strip of them stays in L1 while it meets a
 * check block's panels, which stay in L2 for all strips (where k is short, strips go through the
 * panels together). A B that is not packed yet is packed here, a check block's panels at a time.
 * Tiles are parked between k-blocks and reloaded, so that every element is one chain in increasing
 * k. Small products go another way, {@link DirectGemm}, and so do few rows with a fresh B: {@link
 * SkinnyGemm}.
 */
public final class VectorGemm implements Backend {
  /** Steps along k at which a check block's strips, and a panel, are in L1 together. */
  private static final int SHALLOW = 128;

  /** Most strips of a region that leave it to the first of them to bring panels near. */
  private static final int FEW_STRIPS = 2;

  @Override
  public String name() {
    return "vector, %d bits, tile %d x %d, %s"
        .formatted(
            VectorShapes.FLOATS.vectorBitSize(),
            TILE_ROWS,
            TILE_COLUMNS,
            VectorShapes.MACHINE_CODE ? "machine code" : "bytecode");
  }

  /** Why kernels are not in machine code where they could be, and the remedy; empty otherwise. */
  public static String denied() {
    return VectorShapes.DENIED;
  }

  @Override
  public int panelColumns() {
    return TILE_COLUMNS;
  }

  @Override
  public RowKernels newRowKernels() {
    return new VectorRows();
  }

  @Override
  public Workspace newWorkspace() {
    return new VectorWorkspace();
  }

  @Override
  public void pack(
      MemorySegment source,
      Range range,
      long matrix,
      PackedB target,
      long block,
      int kBlock,
      boolean verify,
      Workspace workspace) {
    var w = (VectorWorkspace) workspace;
    w.place.keep(target, target.panel(matrix, block), kBlock);
    PanelPacker.pack(source, range, matrix, target, block, kBlock, verify, w.place, w);
    w.place.forget();
  }

  @Override
  public boolean packsItself() {
    return true;
  }

  @Override
  public boolean multipliesDirectly(GemmProblem problem, MemorySegment source, Range range) {
    return DirectGemm.serves(problem, source, range) || SkinnyGemm.serves(problem, source, range);
  }

  @Override
  public void scan(
      MemorySegment memory, SealGrid grid, long block, long[] found, Workspace workspace) {
    if (!memory.isNative() || grid.range().columnStride() != 1) {
      grid.scan(memory, block, found, 0);
      return;
    }
    var w = (VectorWorkspace) workspace;
    BlockView view = w.view;
    int rows = grid.rows(block);
    long stride = 4 * grid.range().rowStride();
    view.open(memory, 4 * grid.word(block), stride, rows, grid.columns(block), w.raw);
    view.scan(w.raw);
    view.finish(w.raw, found, 0);
    view.forget();
  }

  @Override
  public void scan(
      MemorySegment memory, long offset, int words, long[] found, Workspace workspace) {
    var w = (VectorWorkspace) workspace;
    int vectors = words / LANES;
    BlockPass.scan(memory, offset, 0, 1, vectors * LANES, w.raw);
    SealLanes.finish(w.raw, vectors, found, 0);
    for (int i = vectors * LANES; i < words; i++) {
      Seal.add(found, 0, memory.get(ValueLayout.JAVA_INT, offset + 4L * i), i + 1);
    }
  }

  @Override
  public void attend(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    VectorAttention.run(p, region, ((VectorWorkspace) workspace).attention(), sink);
  }

  @Override
  public int regionRowsWithoutEvidence() {
    // Less of A is in the way of B and of parked tiles then. What it costs to verify every panel in
    // twice as many regions is as much (measured, docs/decisions.md).
    boolean half = VectorShapes.MACHINE_CODE && VectorShapes.THIRTY_TWO_REGISTERS;
    return half ? Region.MAX_ROWS / 2 : Region.MAX_ROWS;
  }

  @Override
  public String smallProducts() {
    return DirectGemm.description() + SkinnyGemm.description();
  }

  @Override
  public int checkingRows() {
    return 2 * VectorShapes.CHECKING_ROWS;
  }

  @Override
  public boolean isIntact(
      PackedB packed, long panel, int kBlock, long[] found, Workspace workspace) {
    // A panel is full vectors: the first running sums of its seal are those of its digest.
    scan(
        packed.panelsWith(panel),
        packed.panelOffset(panel, kBlock),
        packed.panelWords(kBlock),
        found,
        workspace);
    return Seal.same(found, 0, packed.panelSeals(), packed.panelSealAt(panel, kBlock))
        && packed.agrees(panel, kBlock, ((VectorWorkspace) workspace).raw);
  }

  @Override
  public void widen(
      DType type, MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    int done = VectorHalves.widen(type, halves, offset, count, floats, at);
    Backend.super.widen(type, halves, offset + 2L * done, count - done, floats, at + 4L * done);
  }

  @Override
  public void round(
      DType type, MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    int done = VectorHalves.round(type, floats, offset, count, halves, at);
    Backend.super.round(type, floats, offset + 4L * done, count - done, halves, at + 2L * done);
  }

  @Override
  public boolean isFinite(MemorySegment memory, long offset, int floats) {
    return VectorSums.isFinite(memory, offset, floats);
  }

  @Override
  public void run(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (VectorWorkspace) workspace;
    Range range = p.isDirect() ? p.bRange : null;
    if (range != null && !DirectGemm.serves(p, p.bSource, range)) {
      SkinnyGemm.run(this, p, region, w, sink);
    } else if (range != null || DirectGemm.servesPanels(p, region)) {
      DirectGemm.run(p, region, w, sink);
    } else {
      run(p, region, w, sink);
    }
  }

  @Override
  public void recompute(
      GemmProblem p, Region region, int attempt, Workspace workspace, EvidenceSink sink) {
    run(p, region, (VectorWorkspace) workspace, sink);
  }

  /** With copies of A, packed panels, and a check of every row. */
  private void run(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.open(region.rows, p.verify);
    w.openCopies(b.kBlocks(), p.packsB());
    w.far = isFar(p, region, w);
    if (p.verify) {
      openEvidence(region, b, w);
    }
    for (int first = 0; first < b.kBlocks(); first += w.copies) {
      int end = w.endOfCopies(first, b);
      for (int kBlock = first; kBlock < end; kBlock++) {
        LeftCopy.copy(p, region, kBlock, w, sink);
      }
      for (int block = 0; block < region.blocks; block++) {
        for (int kBlock = first; kBlock < end; kBlock++) {
          place(p, region, kBlock, region.block + block, w);
          multiply(p, region, kBlock, block, w, sink);
        }
      }
      for (int kBlock = first; kBlock < end; kBlock++) {
        LeftCopy.predictLate(p, region, kBlock, w);
        LeftCopy.verify(p, region, kBlock, w, sink);
        if (p.verify) {
          PackedBCheck.verifyRecords(this, p, region, kBlock, w.found, w, sink);
        }
      }
    }
    if (p.verify) {
      OutputTiles.evidence(p, region, w, sink);
    }
    w.finish();
    if (!b.repairs().noneSince(mark)) {
      // Somebody put a word back that this region may have read before.
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  /** Whether the first strip of a region brings its panels from memory: more of them ask ahead. */
  private static boolean isFar(GemmProblem p, Region region, VectorWorkspace w) {
    boolean few = w.strips <= FEW_STRIPS && p.b.depth() > SHALLOW;
    long elements = PackedBCheck.columns(region, p.b) * p.b.depth();
    return !p.packsB() && few && elements > DirectGemm.ELEMENTS;
  }

  @Override
  public void examine(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (VectorWorkspace) workspace;
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.open(region.rows, true);
    w.openCopies(1, false);
    openEvidence(region, b, w);
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      LeftCopy.copy(p, region, kBlock, w, sink);
      w.forgetDigests();
      PackedBCheck.verifyRecords(this, p, region, kBlock, w.found, w, sink);
    }
    for (int block = 0; block < region.blocks; block++) {
      OutputTiles.show(p, region, block, w);
      w.forgetDigests();
    }
    OutputTiles.evidence(p, region, w, sink);
    w.finish();
    if (!b.repairs().noneSince(mark)) {
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  @Override
  public int checkVectorLanes() {
    return LANES;
  }

  private static void openEvidence(Region region, PackedB b, VectorWorkspace w) {
    w.evidence.open(region.rows, region.blocks, b.depth());
    w.evidence.lanes(
        Prediction.LANES_USED,
        Prediction.UNIT,
        Prediction.LAST_LANES,
        Prediction.LAST_TOGETHER,
        BlockPass.SHOWN_LANES,
        LANES);
  }

  /** Finds a check block's panels, or packs them. */
  static void place(GemmProblem p, Region region, int kBlock, long block, VectorWorkspace w) {
    Range range = p.bRange;
    if (range == null || !p.packsB()) {
      w.place.keep(p.b, p.b.panel(region.matrix, block), kBlock);
    } else {
      w.place.pass(p.b, kBlock);
      PanelPacker.pack(p.bSource, range, region.matrix, p.b, block, kBlock, p.verify, w.place, w);
      if (Probe.ON) {
        probePanels(ProbePoint.PACKED_B_WRITTEN, p.b, kBlock, 0, p.b.panelsOf(block), w.place);
      }
    }
  }

  /** Multiplies all strips with the panels of a check block. */
  private static void multiply(
      GemmProblem p, Region region, int kBlock, int block, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    PanelPlace place = w.place;
    int depth = b.depthOf(kBlock);
    boolean first = kBlock == 0;
    boolean last = kBlock == b.kBlocks() - 1;
    long panel = b.panel(region.matrix, region.block + block);
    int count = b.panelsOf(region.block + block);
    int columns = b.columnsOf(region.block + block);
    int finished = last && p.alpha == 1 && p.beta == 0 ? columns / TILE_COLUMNS : 0;
    long column = 4 * (region.block + block) * CheckBlock.COLUMNS;
    // What a sweep loads is still there when it has stored, to be verified.
    int load = first ? w.lastTiles : w.tileAt(kBlock - 1, block);
    int store = w.tileAt(kBlock, block);
    boolean together = first && finished > 0 && depth <= SHALLOW;
    if (together) {
      finishTogether(p, region, block, finished, w);
    }
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      // The last read of a panel is the one that is compared with its digest.
      boolean checking = p.verify && strip == w.strips - 1;
      int i = together && !checking ? finished : 0;
      while (i < count) {
        // What a kernel brings into C goes there panel after panel, so do tiles that are parked
        // and, in a place of their own, those that are finished outside of it.
        boolean finishes = i < finished;
        int panels = finishes ? finished : count - i;
        int from = load + (strip * PANELS + i) * TILE;
        int to = last ? w.lastTiles : store + (strip * PANELS + i) * TILE;
        int digest =
            finishes
                ? w.blockDigest(row)
                : last ? w.lastDigest : w.partialDigest(kBlock & 1, strip, block);
        if (Probe.ON) {
          probeSweep(p, kBlock, i, panels, first, checking, strip, from, w);
        }
        w.touched +=
            MicroKernels.of(
                    rows, !first, checking, finishes ? Into.C : Into.TILES, w.far && strip == 0)
                .sweep(
                    w.copied,
                    w.copyAt(row, kBlock),
                    1,
                    place.memory(),
                    place.offset(i),
                    place.stride(),
                    panels,
                    depth,
                    w.tiles,
                    from,
                    to,
                    0,
                    w.digests,
                    digest,
                    p.packsB() ? 0 : ahead(b, kBlock, count, strip, w),
                    w.panelSums,
                    finishes ? p.c : MemorySegment.NULL,
                    p.cRow(region.matrix, region.row + row) + column + 4L * i * TILE_COLUMNS,
                    p.cStride);
        for (int each = 0; checking && each < panels; each++) {
          int sums = each * Digest.SUMS * WIDE_LANES;
          PackedBCheck.compareDigest(p, region, panel + i + each, kBlock, w.panelSums, sums, sink);
        }
        if (p.verify && !first) {
          OutputTiles.takePartial(kBlock, block, strip, rows, from, panels, w);
        }
        if (last && !finishes) {
          OutputTiles.finish(p, region, row, rows, block, i, panels, w, sink);
        }
        i += panels;
      }
      int end = row + rows;
      if (last && (end % CheckBlock.ROWS == 0 || end == region.rows)) {
        // What was stored is near still.
        OutputTiles.close(p, region, row / CheckBlock.ROWS * CheckBlock.ROWS, block, w, sink);
      }
    }
    if (p.verify && !first) {
      OutputTiles.verifyPartial(p, region, kBlock, block, w, sink);
    }
    if (Probe.ON && !p.verify) {
      probePanels(ProbePoint.PACKED_B_LAST_USE, b, kBlock, 0, count, place);
    }
  }

  /**
   * Multiplies strips of the same height together with the panels that kernels bring into C, all
   * but a last one that checks: where strips are short, calls are what takes long.
   */
  private static void finishTogether(
      GemmProblem p, Region region, int block, int panels, VectorWorkspace w) {
    int end = p.verify ? w.strips - 1 : w.strips;
    long column = 4 * (region.block + block) * CheckBlock.COLUMNS;
    int strip = 0;
    while (strip < end) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      int strips = w.alike(strip, end);
      for (int i = 0; Probe.ON && i < strips; i++) {
        probeSweep(p, 0, 0, panels, true, false, strip + i, 0, w);
      }
      w.touched +=
          MicroKernels.of(rows, false, false, Into.C, false)
              .sweep(
                  w.copied,
                  w.copyAt(row, 0),
                  strips,
                  w.place.memory(),
                  w.place.offset(0),
                  w.place.stride(),
                  panels,
                  p.b.depthOf(0),
                  w.tiles,
                  0,
                  0,
                  0,
                  w.digests,
                  w.blockDigest(row),
                  0,
                  w.panelSums,
                  p.c,
                  p.cRow(region.matrix, region.row + row) + column,
                  p.cStride);
      strip += strips;
    }
  }

  /**
   * What a strip's kernels ask for: a stretch of what comes after each panel, in the next of the
   * k-blocks that are copied, or in the next check block; as long as there is one for this strip,
   * nothing new otherwise. A first strip that reads panels abreast takes it as the way to those of
   * its next call.
   */
  private static long ahead(PackedB b, int kBlock, int count, int strip, VectorWorkspace w) {
    int first = kBlock - kBlock % w.copies;
    boolean goesOn = kBlock + 1 < w.endOfCopies(first, b);
    int next = goesOn ? kBlock + 1 : first;
    long away = b.panelOffset(goesOn ? 0 : count, next) - b.panelOffset(0, kBlock);
    long stretch = (long) b.depthOf(kBlock) * MicroKernel.AHEAD_STEP;
    long at = strip * stretch;
    return at + stretch <= 4L * b.panelWords(next) ? away + at : 0;
  }

  /** Has the check blocks of a strip mended: a copy they were computed from was damaged. */
  static void suspect(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int block,
      int blocks,
      Component component,
      EvidenceSink sink) {
    int top = row / CheckBlock.ROWS * CheckBlock.ROWS;
    sink.suspect(
        p,
        new Region()
            .set(
                region.matrix,
                region.row + top,
                Math.min(region.rows, row + rows) - top,
                region.block + block,
                blocks),
        component);
  }

  /** Everything that a sweep is about to read. */
  private static void probeSweep(
      GemmProblem p,
      int kBlock,
      int panel,
      int panels,
      boolean first,
      boolean checking,
      int strip,
      int from,
      VectorWorkspace w) {
    PackedB b = p.b;
    int row = w.row[strip];
    int rows = w.row[strip + 1] - row;
    for (int i = 0; i < panels; i++) {
      probePanels(ProbePoint.PACKED_B_READ, b, kBlock, panel + i, 1, w.place);
      LeftCopy.probe(ProbePoint.PACKED_A_READ, row, rows, kBlock, b.depthOf(kBlock), w);
      if (!first) {
        Probe.reach(ProbePoint.PARTIAL_SUM_READ, w.tiles, from + i * TILE, rows * TILE_COLUMNS);
      }
      if (checking) {
        probePanels(ProbePoint.PACKED_B_LAST_USE, b, kBlock, panel + i, 1, w.place);
      }
    }
  }

  static void probePanels(
      ProbePoint point, PackedB b, int kBlock, int panel, int count, PanelPlace place) {
    for (int i = panel; i < panel + count; i++) {
      Probe.reach(point, place.memory(), place.offset(i), 1, 4L * b.panelWords(kBlock), 0);
    }
  }
}
