package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.LeftCheck;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.checksum.Signs;
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
 * <p>Loop order within a region (at most 480 x 384 of C): k-blocks of 512 steps, strips of {@link
 * VectorShapes#TILE_ROWS} rows, panels of {@link VectorShapes#TILE_COLUMNS} columns. A strip of A
 * is copied to L1 once per k-block and swept over the region's panels, which stay in L2; tiles are
 * parked between k-blocks and reloaded, so that every element is one chain in increasing k.
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
    Arrays.fill(w.folded, 0);
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
    Arrays.fill(w.raw, 0);
    int rows = grid.rows(block);
    BlockPass.scan(
        memory,
        4 * grid.word(block),
        4 * grid.range().rowStride(),
        rows,
        grid.columns(block),
        w.raw);
    finishBlock(rows, w.raw, w.folded, found, 0);
  }

  /** The sums of a block whose rows were all walked. */
  private static void finishBlock(int rows, long[] raw, long[] folded, long[] sums, int at) {
    Arrays.fill(folded, 0);
    SealLanes.fold(raw, rows * BlockPass.VECTORS, 0, LANES, folded, 0);
    SealLanes.finish(folded, 0, sums, at);
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
  public void run(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (VectorWorkspace) workspace;
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.clear();
    if (p.verify) {
      w.evidence.open(region.rows, region.blocks, b.depth());
      w.evidence.lanes(Prediction.LANES_USED, BlockPass.SHOWN_LANES);
    }
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      if (p.verify) {
        if (Probe.ON) {
          PackedBCheck.probeRecords(p, region, kBlock);
        }
        w.prediction.open(b, region, kBlock, w.evidence);
      }
      for (int row = 0; row < region.rows; row += TILE_ROWS) {
        strip(p, region, kBlock, row, Math.min(TILE_ROWS, region.rows - row), w, sink);
      }
      if (p.verify) {
        PackedBCheck.verify(this, p, region, kBlock, w.found, w, sink);
      } else if (Probe.ON) {
        PackedBCheck.probePanels(p, region, kBlock);
      }
    }
    if (!b.repairs().noneSince(mark)) {
      // Somebody put a word back that this region may have read before.
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  private static void strip(
      GemmProblem p,
      Region region,
      int kBlock,
      int row,
      int rows,
      VectorWorkspace w,
      EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    long aRow = p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
    if (Probe.ON) {
      Probe.reach(ProbePoint.A_READ, p.a, aRow, rows, 4L * depth, p.aStride);
    }
    if (p.verify) {
      copyChecked(p, region, kBlock, row, rows, aRow, w, sink);
      w.prediction.predict(p, region, kBlock, row, rows, w.survey, w.evidence);
    } else {
      for (int i = 0; i < rows; i++) {
        Strip.copyRow(p.a, aRow + i * p.aStride, depth, w.strip, i * MicroKernel.STRIP_STRIDE);
      }
    }
    if (Probe.ON) {
      probeStrip(ProbePoint.PACKED_A_WRITTEN, rows, depth, w);
    }
    sweep(p, region, kBlock, row, rows, aRow, w, sink);
    if (Probe.ON) {
      probeStrip(ProbePoint.PACKED_A_LAST_USE, rows, depth, w);
    }
    if (p.verify) {
      if (Probe.ON) {
        Probe.reach(ProbePoint.PACKED_A_DIGEST, w.stripDigest, 0, WIDE_LANES);
      }
      for (int i = 0; i < rows; i++) {
        Strip.subtract(w.strip, i * MicroKernel.STRIP_STRIDE, depth, w.stripDigest, 0);
      }
      if (!Strip.isZero(w.stripDigest, 0)) {
        suspect(p, region, row, rows, 0, region.blocks, Component.PACKED_A, sink);
      }
    }
    Arrays.fill(w.stripDigest, 0);
    if (kBlock == p.b.kBlocks() - 1) {
      close(p, region, row, rows, w, sink);
    }
  }

  /**
   * Copies a strip a check block's columns after the other, so that the sums of the words that were
   * read can be compared with the seals of A.
   */
  private static void copyChecked(
      GemmProblem p,
      Region region,
      int kBlock,
      int row,
      int rows,
      long aRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    int end = row + rows;
    boolean complete = end % CheckBlock.ROWS == 0 || end == region.rows;
    w.survey.open();
    for (int k = 0; k < depth; k += CheckBlock.COLUMNS) {
      int columns = Math.min(CheckBlock.COLUMNS, depth - k);
      long[] raw = w.aRaw[k / CheckBlock.COLUMNS];
      if (columns == CheckBlock.COLUMNS) {
        Strip.copyFull(
            p.a, aRow + 4L * k, p.aStride, rows, w.strip, k, raw, w.stripDigest, w.survey);
      } else {
        Strip.copyPart(
            p.a, aRow + 4L * k, p.aStride, rows, columns, w.strip, k, raw, w.stripDigest, w.survey);
      }
      if (complete) {
        SealGrid seals = p.aSeals;
        if (seals != null) {
          long block =
              p.aSealBlock(seals, region.matrix, region.row + row)
                  + (long) kBlock * PackedB.DEPTH / CheckBlock.COLUMNS
                  + k / CheckBlock.COLUMNS;
          finishBlock((end - 1) % CheckBlock.ROWS + 1, raw, w.folded, w.found, 0);
          LeftCheck.compare(p, region, block, w.found, sink);
        }
        Arrays.fill(raw, 0);
      }
    }
  }

  /** Multiplies a strip with all panels of the region. */
  private static void sweep(
      GemmProblem p,
      Region region,
      int kBlock,
      int row,
      int rows,
      long aRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    PackedB b = p.b;
    int depth = b.depthOf(kBlock);
    boolean first = kBlock == 0;
    boolean last = kBlock == b.kBlocks() - 1;
    boolean plain = last && p.alpha == 1 && p.beta == 0;
    // What the next strip is copied from is touched while this one is multiplied.
    boolean isLastStrip = row + rows == region.rows;
    long near = isLastStrip ? aRow : aRow + rows * p.aStride;
    int nearRows = isLastStrip ? rows : Math.min(TILE_ROWS, region.rows - row - rows);
    int to = (kBlock & 1) * w.tilesHalf;
    int from = w.tilesHalf - to;
    int slot = row / TILE_ROWS * PackedBCheck.panels(region, b) * TILE;
    int near0 = 0;
    for (int block = 0; block < region.blocks; block++) {
      long panel = b.panel(region.matrix, region.block + block);
      int count = b.panelsOf(region.block + block);
      int columns = b.columnsOf(region.block + block);
      int digest = last ? w.blockDigest(block) : w.partialDigest(kBlock & 1, row / TILE_ROWS, block);
      int loadAt = from + slot;
      for (int i = 0; i < count; i++) {
        boolean whole = plain && (i + 1) * TILE_COLUMNS <= columns;
        if (Probe.ON) {
          probePanel(p, kBlock, panel + i, first, rows, depth, from + slot, w);
        }
        w.touched ^=
            MicroKernels.of(rows, !first)
                .run(
                    w.strip,
                    b.panels(),
                    b.panelOffset(panel + i, kBlock),
                    depth,
                    w.tiles,
                    from + slot,
                    last ? w.lastTile : to + slot,
                    w.digests,
                    last && !whole ? w.tileDigest : digest,
                    p.a,
                    near + near0 * p.aStride);
        near0 = near0 + 1 < nearRows ? near0 + 1 : near0;
        if (whole) {
          store(p, region, row, rows, block, i, w);
        } else if (last) {
          finish(p, region, row, rows, block, i, digest, w, sink);
        }
        slot += TILE;
      }
      if (p.verify && !first) {
        verifyPartial(p, region, kBlock, row, rows, block, loadAt, count, w, sink);
      }
    }
  }

  private static void verifyPartial(
      GemmProblem p,
      Region region,
      int kBlock,
      int row,
      int rows,
      int block,
      int loadAt,
      int panels,
      VectorWorkspace w,
      EvidenceSink sink) {
    int digest = w.partialDigest(kBlock & 1 ^ 1, row / TILE_ROWS, block);
    if (Probe.ON) {
      Probe.reach(
          ProbePoint.PARTIAL_SUM_LAST_USE,
          MemorySegment.ofArray(w.tiles),
          4L * loadAt,
          panels,
          4L * rows * TILE_COLUMNS,
          4L * TILE);
      Probe.reach(ProbePoint.PARTIAL_SUM_DIGEST, w.digests, digest, WIDE_LANES);
    }
    for (int i = 0; i < panels; i++) {
      Strip.subtract(w.tiles, loadAt + i * TILE, rows * TILE_COLUMNS, w.digests, digest);
    }
    if (!Strip.isZero(w.digests, digest)) {
      Arrays.fill(w.digests, digest, digest + WIDE_LANES, 0);
      suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
    }
  }

  /** Stores a finished tile into C; what C holds then is compared with the digest of its block. */
  private static void store(
      GemmProblem p, Region region, int row, int rows, int block, int panel, VectorWorkspace w) {
    if (Probe.ON) {
      Probe.reach(ProbePoint.TILE_WRITTEN, w.tiles, w.lastTile, rows * TILE_COLUMNS);
    }
    long column = (region.block + block) * CheckBlock.COLUMNS + panel * TILE_COLUMNS;
    long to = p.cRow(region.matrix, region.row + row) + 4 * column;
    Tile.store(w.tiles, w.lastTile, rows, p.c, to, p.cStride);
  }

  /** Brings a finished tile into C that has factors, or fewer columns than a tile has room for. */
  private static void finish(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int block,
      int panel,
      int blockDigest,
      VectorWorkspace w,
      EvidenceSink sink) {
    int left = panel * TILE_COLUMNS;
    int columns = Math.min(TILE_COLUMNS, p.b.columnsOf(region.block + block) - left);
    long column = (region.block + block) * CheckBlock.COLUMNS + left;
    if (Probe.ON) {
      Probe.reach(ProbePoint.TILE_WRITTEN, w.tiles, w.lastTile, rows * TILE_COLUMNS);
    }
    if (p.beta != 0) {
      long old = p.oldCRow(region.matrix, region.row + row) + 4 * column;
      if (Probe.ON) {
        Probe.reach(ProbePoint.OLD_C_READ, p.oldC, old, rows, 4L * columns, p.oldCStride);
      }
      Tile.blend(
          w.tiles,
          w.lastTile,
          rows,
          columns,
          p.alpha,
          p.beta,
          p.oldC,
          old,
          p.oldCStride,
          w.digests,
          w.tileDigest);
    } else if (p.alpha != 1) {
      Tile.scale(w.tiles, w.lastTile, rows * TILE_COLUMNS, p.alpha, w.digests, w.tileDigest);
    }
    long to = p.cRow(region.matrix, region.row + row) + 4 * column;
    Tile.store(
        w.tiles,
        w.lastTile,
        rows,
        columns,
        p.c,
        to,
        p.cStride,
        w.digests,
        w.tileDigest,
        blockDigest);
    if (p.verify && !Strip.isZero(w.digests, w.tileDigest)) {
      suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
    }
    Arrays.fill(w.digests, w.tileDigest, w.tileDigest + WIDE_LANES, 0);
  }

  /** After the last k-block of a strip. */
  private static void close(
      GemmProblem p, Region region, int row, int rows, VectorWorkspace w, EvidenceSink sink) {
    long cRow = p.cRow(region.matrix, region.row + row) + 4L * region.block * CheckBlock.COLUMNS;
    long bytes = 4L * PackedBCheck.columns(region, p.b);
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_STORED, p.c, cRow, rows, bytes, p.cStride);
    }
    if (p.verify) {
      show(p, region, row, rows, cRow, w, sink);
      evidence(p, region, row, rows, w, sink);
    }
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_CHECKED, p.c, cRow, rows, bytes, p.cStride);
    }
  }

  /** Reads a strip of C back: its checksums, and the seals of check blocks that end with it. */
  private static void show(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      long cRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    Evidence evidence = w.evidence;
    SealGrid seals = p.cSeals;
    int end = row + rows;
    boolean sealing = end % CheckBlock.ROWS == 0 || end == region.rows;
    for (int check = 0; check < evidence.checks(); check++) {
      for (int i = 0; i < evidence.blocksOf(check); i++) {
        int block = evidence.firstBlock(check) + i;
        int columns = p.b.columnsOf(region.block + block);
        long at = cRow + 4L * block * CheckBlock.COLUMNS;
        int pattern = (int) ((region.block + block) % Signs.PATTERNS);
        int digest = w.blockDigest(block);
        long[] raw = w.cRaw[block];
        int shown = evidence.at(row, check);
        if (columns == CheckBlock.COLUMNS) {
          BlockPass.showFull(
              p.c,
              at,
              p.cStride,
              rows,
              pattern,
              raw,
              w.digests,
              digest,
              w.lanes);
          BlockPass.addUp(w.lanes, rows, evidence.shown, shown, evidence.checks());
        } else {
          BlockPass.showPart(
              p.c,
              at,
              p.cStride,
              rows,
              columns,
              pattern,
              raw,
              w.digests,
              digest,
              evidence.shown,
              shown,
              evidence.checks());
        }
        if (!Strip.isZero(w.digests, digest)) {
          Arrays.fill(w.digests, digest, digest + WIDE_LANES, 0);
          suspect(p, region, row, rows, block, 1, Component.OUTPUT, sink);
        }
        if (sealing) {
          if (seals != null) {
            long blockRow = (region.row + row) / CheckBlock.ROWS;
            int sums = Seal.SUMS * seals.block(region.matrix, blockRow, region.block + block);
            int sealed = (end - 1) % CheckBlock.ROWS + 1;
            finishBlock(sealed, raw, w.folded, seals.sums(), sums);
          }
          Arrays.fill(raw, 0);
        }
      }
    }
  }

  /** Completes the evidence of a strip and hands it over. */
  private static void evidence(
      GemmProblem p, Region region, int row, int rows, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    Evidence evidence = w.evidence;
    int checks = evidence.checks();
    for (int check = 0; check < checks; check++) {
      long first = region.block + evidence.firstBlock(check);
      int blocks = evidence.blocksOf(check);
      int columns = (blocks - 1) * CheckBlock.COLUMNS + b.columnsOf(first + blocks - 1);
      for (int i = 0; i < rows; i++) {
        double signed = 0;
        double squares = 0;
        if (p.beta != 0) {
          oldSums(p, region, row + i, first, blocks, w);
          signed = w.oldSigned;
          squares = w.oldSquares;
        }
        evidence.close(
            evidence.at(row + i, check), p.alpha, p.beta, b.depth(), columns, signed, squares);
      }
    }
    if (Probe.ON) {
      int from = evidence.at(row, 0);
      Probe.reach(ProbePoint.EVIDENCE, evidence.predicted, from, rows * checks);
      Probe.reach(ProbePoint.EVIDENCE, evidence.shown, from, rows * checks);
      Probe.reach(ProbePoint.TOLERANCE, evidence.tolerance, from, rows * checks);
    }
    sink.evidence(p, region, region.row + row, rows, evidence, row);
  }

  private static void oldSums(
      GemmProblem p, Region region, int row, long first, int blocks, VectorWorkspace w) {
    w.oldSigned = 0;
    w.oldSquares = 0;
    for (long block = first; block < first + blocks; block++) {
      long old = p.oldCRow(region.matrix, region.row + row) + 4 * block * CheckBlock.COLUMNS;
      int pattern = (int) (block % Signs.PATTERNS);
      RowSums.all(p.oldC, old, p.b.columnsOf(block), pattern, w.rowSums);
      w.oldSigned += w.rowSums[RowSums.SIGNED];
      w.oldSquares += w.rowSums[RowSums.SQUARES];
    }
  }

  private static void suspect(
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
      int rows,
      int depth,
      int loadAt,
      VectorWorkspace w) {
    PackedB b = p.b;
    long bytes = 4L * b.panelWords(kBlock);
    Probe.reach(
        ProbePoint.PACKED_B_READ, b.panels(), b.panelOffset(panel, kBlock), 1, bytes, 0);
    probeStrip(ProbePoint.PACKED_A_READ, rows, depth, w);
    if (!first) {
      Probe.reach(ProbePoint.PARTIAL_SUM_READ, w.tiles, loadAt, rows * TILE_COLUMNS);
    }
  }

  private static void probeStrip(ProbePoint point, int rows, int depth, VectorWorkspace w) {
    Probe.reach(
        point, MemorySegment.ofArray(w.strip), 0, rows, 4L * depth, 4L * MicroKernel.STRIP_STRIDE);
  }
}
