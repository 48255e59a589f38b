package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;

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
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Matrix multiplication with the Vector API.
 *
 * <p>Loop order within a region (at most 288 x 3072 of C): k-blocks of 512 steps, panels of {@link
 * VectorShapes#TILE_COLUMNS} columns, strips of up to {@link VectorShapes#TILE_ROWS} rows. The
 * region's rows of A are copied once per k-block and stay in L2; a panel of B comes from further
 * away and serves all strips. Tiles are parked between k-blocks and reloaded, so that every element
 * is one chain in increasing k.
 */
public final class VectorGemm implements Backend {
  @Override
  public String name() {
    return "vector, %d bits, tile %d x %d"
        .formatted(VectorShapes.FLOATS.vectorBitSize(), TILE_ROWS, TILE_COLUMNS);
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
    PanelPacker.pack(source, range, matrix, target, block, kBlock, verify, w);
  }

  @Override
  public void scan(
      MemorySegment memory, SealGrid grid, long block, long[] found, Workspace workspace) {
    if (!memory.isNative() || grid.range().columnStride() != 1) {
      grid.scan(memory, block, found, 0);
      return;
    }
    var w = (VectorWorkspace) workspace;
    int rows = grid.rows(block);
    long offset = 4 * grid.word(block);
    long stride = 4 * grid.range().rowStride();
    int columns = grid.columns(block);
    int width = grid.pitch(block);
    if (columns < width) {
      BlockPass.stage(memory, offset, stride, rows, columns, w.staged);
      BlockPass.scan(w.staged, 0, BlockPass.STAGED_STRIDE, rows, width, w.raw);
    } else {
      BlockPass.scan(memory, offset, stride, rows, width, w.raw);
    }
    BlockPass.finish(rows, width, w.raw, w.folded, found, 0);
  }

  @Override
  public void scan(
      MemorySegment memory, long offset, int words, long[] found, Workspace workspace) {
    var w = (VectorWorkspace) workspace;
    Arrays.fill(w.folded, 0);
    int rows = words / LANES;
    SealLanes.scan(memory, offset, 4L * LANES, rows, w.raw);
    SealLanes.fold(w.raw, rows, 0, LANES, w.folded, 0);
    SealLanes.finish(w.folded, 0, found, 0);
    for (int i = rows * LANES; i < words; i++) {
      Seal.add(found, 0, memory.get(ValueLayout.JAVA_INT, offset + 4L * i), i + 1);
    }
  }

  @Override
  public void attend(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    VectorAttention.run(p, region, ((VectorWorkspace) workspace).attention(), sink);
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
        packed.panels(),
        packed.panelOffset(panel, kBlock),
        packed.panelWords(kBlock),
        found,
        workspace);
    return Seal.same(found, 0, packed.panelSeals(), packed.panelSealAt(panel, kBlock))
        && packed.agrees(panel, kBlock, ((VectorWorkspace) workspace).raw);
  }

  @Override
  public boolean isFinite(MemorySegment memory, long offset, int floats) {
    return VectorSums.isFinite(memory, offset, floats);
  }

  @Override
  public void run(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (VectorWorkspace) workspace;
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.open(region.rows, b.kBlocks(), p.verify);
    if (p.verify) {
      w.evidence.open(region.rows, region.blocks, b.depth());
      w.evidence.lanes(Prediction.LANES_USED, BlockPass.SHOWN_LANES, LANES);
    }
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      LeftStrips.copy(p, region, kBlock, w, sink);
      for (int block = 0; block < region.blocks; block++) {
        multiply(p, region, kBlock, block, w, sink);
      }
      LeftStrips.verify(p, region, kBlock, w, sink);
      if (p.verify) {
        PackedBCheck.verifyRecords(this, p, region, kBlock, w.found, w, sink);
      } else if (Probe.ON) {
        PackedBCheck.probePanels(p, region, kBlock);
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

  @Override
  public void examine(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (VectorWorkspace) workspace;
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.open(region.rows, 1, true);
    w.evidence.open(region.rows, region.blocks, b.depth());
    w.evidence.lanes(Prediction.LANES_USED, BlockPass.SHOWN_LANES, LANES);
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      LeftStrips.copy(p, region, kBlock, w, sink);
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

  /** Multiplies all strips with the panels of a check block. */
  private static void multiply(
      GemmProblem p, Region region, int kBlock, int block, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    int depth = b.depthOf(kBlock);
    boolean first = kBlock == 0;
    boolean last = kBlock == b.kBlocks() - 1;
    boolean plain = last && p.alpha == 1 && p.beta == 0;
    long panel = b.panel(region.matrix, region.block + block);
    int count = b.panelsOf(region.block + block);
    int columns = b.columnsOf(region.block + block);
    // Tiles move down by one place from k-block to k-block: what a kernel loads is still there when
    // it has stored, to be verified, and nothing is kept twice.
    int to = w.tileAt(block) + (b.kBlocks() - kBlock) * TILE;
    for (int i = 0; i < count; i++) {
      boolean whole = plain && (i + 1) * TILE_COLUMNS <= columns;
      long offset = b.panelOffset(panel + i, kBlock);
      long column = 4 * ((region.block + block) * CheckBlock.COLUMNS + (long) i * TILE_COLUMNS);
      // Where kernels touch, each strip touches a stretch of the next panel meanwhile.
      long next = offset + b.depth() * TILE_COLUMNS * 4L;
      for (int strip = 0; strip < w.strips; strip++) {
        int row = w.row[strip];
        int rows = w.row[strip + 1] - row;
        int tile = to + strip * TILE;
        int from = tile + TILE;
        // The last read of a panel is the one that is compared with its digest.
        boolean checking = p.verify && strip == w.strips - 1;
        if (Probe.ON) {
          probePanel(p, kBlock, panel + i, first, strip, depth, from, w);
          if (checking) {
            long bytes = 4L * b.panelWords(kBlock);
            Probe.reach(ProbePoint.PACKED_B_LAST_USE, b.panels(), offset, 1, bytes, 0);
          }
        }
        w.touched +=
            MicroKernels.of(rows, !first, checking, whole)
                .run(
                    w.copied[strip],
                    b.panels(),
                    offset,
                    depth,
                    w.tiles,
                    from,
                    last ? w.lastTile : tile,
                    w.digests,
                    last
                        ? whole ? w.blockDigest(strip) : w.tileDigest
                        : w.partialDigest(kBlock & 1, strip, block),
                    near(b, kBlock, offset, next, strip),
                    w.raw,
                    p.c,
                    p.cRow(region.matrix, region.row + row) + column,
                    p.cStride);
        if (p.verify && !first) {
          OutputTiles.takePartial(kBlock, block, strip, rows, from, w);
        }
        if (last && !whole) {
          OutputTiles.finish(p, region, row, rows, block, i, w.blockDigest(strip), w, sink);
        }
      }
      to += w.strips * TILE;
      if (p.verify) {
        PackedBCheck.compareDigest(p, region, panel + i, kBlock, w.raw, sink);
      }
    }
    if (p.verify && !first) {
      OutputTiles.verifyPartial(p, region, kBlock, block, w, sink);
    }
    if (last) {
      OutputTiles.close(p, region, block, w, sink);
    }
  }

  /** Where a strip touches the next panel; this one again if it has nothing to touch there. */
  private static long near(PackedB b, int kBlock, long offset, long next, int strip) {
    long stretch = (long) b.depthOf(kBlock) * MicroKernel.NEAR_STEP;
    long at = strip * stretch;
    boolean inside = at + stretch <= 4L * b.panelWords(kBlock);
    return inside && next + at + stretch <= b.panels().byteSize() ? next + at : offset;
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

  private static void probePanel(
      GemmProblem p,
      int kBlock,
      long panel,
      boolean first,
      int strip,
      int depth,
      int loadAt,
      VectorWorkspace w) {
    PackedB b = p.b;
    long bytes = 4L * b.panelWords(kBlock);
    Probe.reach(ProbePoint.PACKED_B_READ, b.panels(), b.panelOffset(panel, kBlock), 1, bytes, 0);
    LeftStrips.probe(ProbePoint.PACKED_A_READ, strip, depth, w);
    if (!first) {
      int rows = w.row[strip + 1] - w.row[strip];
      Probe.reach(ProbePoint.PARTIAL_SUM_READ, w.tiles, loadAt, rows * TILE_COLUMNS);
    }
  }
}
