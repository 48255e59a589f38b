package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.CHECKING_ROWS;
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
 * <p>Loop order within a region (at most 288 x 3072 of C): k-blocks of 512 steps, panels of {@link
 * VectorShapes#TILE_COLUMNS} columns, strips of up to {@link VectorShapes#TILE_ROWS} rows. The
 * region's rows of A are copied once per k-block and stay in L2; a panel of B comes from further
 * away, is touched before it is needed, and serves all strips. Tiles are parked between k-blocks
 * and reloaded, so that every element is one chain in increasing k.
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
    long offset = 4 * grid.word(block);
    long stride = 4 * grid.range().rowStride();
    if (grid.columns(block) == CheckBlock.COLUMNS) {
      BlockPass.scanFull(memory, offset, stride, rows, w.raw);
    } else {
      int columns = grid.columns(block);
      BlockPass.stage(memory, offset, stride, rows, columns, w.staged);
      BlockPass.scanStaged(w.staged, rows, w.raw);
    }
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
    w.open(region.rows, b.kBlocks(), p.verify);
    if (p.verify) {
      w.evidence.open(region.rows, region.blocks, b.depth());
      w.evidence.lanes(Prediction.LANES_USED, BlockPass.SHOWN_LANES);
    }
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      copyStrips(p, region, kBlock, w, sink);
      for (int block = 0; block < region.blocks; block++) {
        multiply(p, region, kBlock, block, w, sink);
      }
      verifyStrips(p, region, kBlock, w, sink);
      if (p.verify) {
        if (CHECKING_ROWS == 0) {
          PackedBCheck.verifyPanels(this, p, region, kBlock, w.found, w, sink);
        }
        PackedBCheck.verifyRecords(this, p, region, kBlock, w.found, w, sink);
      } else if (Probe.ON) {
        PackedBCheck.probePanels(p, region, kBlock);
      }
    }
    if (p.verify) {
      evidence(p, region, w, sink);
    }
    w.close();
    if (!b.repairs().noneSince(mark)) {
      // Somebody put a word back that this region may have read before.
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  /** Copies a k-block of the region's rows of A, and predicts from their source. */
  private static void copyStrips(
      GemmProblem p, Region region, int kBlock, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    if (p.verify) {
      if (Probe.ON) {
        PackedBCheck.probeRecords(p, region, kBlock);
      }
      w.prediction.open(p.b, region, kBlock, w.evidence);
    }
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      long aRow = p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
      if (Probe.ON) {
        Probe.reach(ProbePoint.A_READ, p.a, aRow, rows, 4L * depth, p.aStride);
      }
      if (p.verify) {
        copyChecked(p, region, kBlock, strip, rows, aRow, w, sink);
        if (Probe.ON) {
          Probe.reach(ProbePoint.A_PREDICTED, p.a, aRow, rows, 4L * depth, p.aStride);
        }
        w.prediction.predict(p, region, kBlock, row, rows, w.survey, w.evidence);
      } else {
        for (int i = 0; i < rows; i++) {
          int to = i * MicroKernel.STRIP_STRIDE;
          Strip.copyRow(p.a, aRow + i * p.aStride, depth, w.copied[strip], to);
        }
      }
      if (Probe.ON) {
        probeStrip(ProbePoint.PACKED_A_WRITTEN, strip, depth, w);
      }
    }
  }

  /** Compares the copied strips with their digests, after their last use. */
  private static void verifyStrips(
      GemmProblem p, Region region, int kBlock, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      if (Probe.ON) {
        probeStrip(ProbePoint.PACKED_A_LAST_USE, strip, depth, w);
      }
      if (!p.verify) {
        continue;
      }
      int digest = w.stripDigest(strip);
      if (Probe.ON) {
        Probe.reach(ProbePoint.PACKED_A_DIGEST, w.digests, digest, WIDE_LANES);
      }
      for (int i = 0; i < rows; i++) {
        int at = i * MicroKernel.STRIP_STRIDE;
        Strip.subtract(w.copied[strip], at, depth, w.digests, digest);
      }
      if (!w.takeZero(digest)) {
        suspect(p, region, row, rows, 0, region.blocks, Component.PACKED_A, sink);
      }
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
      int strip,
      int rows,
      long aRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    int end = w.row[strip + 1];
    boolean complete = end % CheckBlock.ROWS == 0 || end == region.rows;
    int digest = w.stripDigest(strip);
    w.survey.open();
    for (int k = 0; k < depth; k += CheckBlock.COLUMNS) {
      int columns = Math.min(CheckBlock.COLUMNS, depth - k);
      long[] raw = w.aRaw[k / CheckBlock.COLUMNS];
      if (columns == CheckBlock.COLUMNS) {
        Strip.copyFull(
            p.a,
            aRow + 4L * k,
            p.aStride,
            rows,
            w.copied[strip],
            k,
            raw,
            w.digests,
            digest,
            w.survey);
      } else {
        Strip.copyPart(
            p.a,
            aRow + 4L * k,
            p.aStride,
            rows,
            columns,
            w.copied[strip],
            k,
            w.staged,
            raw,
            w.digests,
            digest,
            w.survey);
      }
      if (complete) {
        SealGrid seals = p.aSeals;
        if (seals != null) {
          long block =
              p.aSealBlock(seals, region.matrix, region.row + end - 1)
                  + (long) kBlock * PackedB.DEPTH / CheckBlock.COLUMNS
                  + k / CheckBlock.COLUMNS;
          finishBlock((end - 1) % CheckBlock.ROWS + 1, raw, w.folded, w.found, 0);
          LeftCheck.compare(p, region, block, w.found, sink);
        }
        Arrays.fill(raw, 0);
      }
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
    int slot = w.tileAt(block);
    // What was loaded is verified afterwards, so that it must not be overwritten.
    int to = p.verify ? (kBlock & 1) * w.tilesHalf : 0;
    int from = p.verify ? w.tilesHalf - to : 0;
    long stretch = (long) depth * MicroKernel.NEAR_STEP;
    for (int i = 0; i < count; i++) {
      boolean whole = plain && (i + 1) * TILE_COLUMNS <= columns;
      long offset = b.panelOffset(panel + i, kBlock);
      // The next panel is touched, a stretch by each strip, while this one is multiplied.
      long next = offset + b.depth() * TILE_COLUMNS * 4L;
      for (int strip = 0; strip < w.strips; strip++) {
        int row = w.row[strip];
        int rows = w.row[strip + 1] - row;
        int tile = slot + strip * TILE;
        // The last read of a panel is the one that is compared with its seal.
        boolean checking = p.verify && strip == w.strips - 1 && CHECKING_ROWS > 0;
        if (Probe.ON) {
          probePanel(p, kBlock, panel + i, first, strip, depth, from + tile, w);
          if (checking) {
            long bytes = 4L * b.panelWords(kBlock);
            Probe.reach(ProbePoint.PACKED_B_LAST_USE, b.panels(), offset, 1, bytes, 0);
          }
        }
        w.touched +=
            MicroKernels.of(rows, !first, checking)
                .run(
                    w.copied[strip],
                    b.panels(),
                    offset,
                    depth,
                    w.tiles,
                    from + tile,
                    last ? w.lastTile : to + tile,
                    w.digests,
                    last
                        ? whole ? w.blockDigest(strip) : w.tileDigest
                        : w.partialDigest(kBlock & 1, strip, block),
                    b.panels(),
                    near(b, kBlock, offset, next, strip * stretch),
                    w.raw);
        if (whole) {
          store(p, region, row, rows, block, i, w);
        } else if (last) {
          finish(p, region, row, rows, block, i, w.blockDigest(strip), w, sink);
        }
      }
      slot += w.strips * TILE;
      if (p.verify && CHECKING_ROWS > 0) {
        SealLanes.fold(w.raw, 2 * depth, 0, LANES, w.folded, 0);
        SealLanes.finish(w.folded, 0, w.found, 0);
        PackedBCheck.compare(p, region, panel + i, kBlock, w.found, sink);
      }
    }
    if (p.verify && !first) {
      verifyPartial(p, region, kBlock, block, from + w.tileAt(block), count, w, sink);
    }
    if (last) {
      close(p, region, block, w, sink);
    }
  }

  /** Where a strip touches the next panel; this one again if it has nothing to touch there. */
  private static long near(PackedB b, int kBlock, long offset, long next, long at) {
    long stretch = (long) b.depthOf(kBlock) * MicroKernel.NEAR_STEP;
    boolean inside = at + stretch <= 4L * b.panelWords(kBlock);
    return inside && next + at + stretch <= b.panels().byteSize() ? next + at : offset;
  }

  private static void verifyPartial(
      GemmProblem p,
      Region region,
      int kBlock,
      int block,
      int loadAt,
      int panels,
      VectorWorkspace w,
      EvidenceSink sink) {
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      int digest = w.partialDigest((kBlock & 1) ^ 1, strip, block);
      int tiles = loadAt + strip * TILE;
      if (Probe.ON) {
        Probe.reach(
            ProbePoint.PARTIAL_SUM_LAST_USE,
            MemorySegment.ofArray(w.tiles),
            4L * tiles,
            panels,
            4L * rows * TILE_COLUMNS,
            4L * w.strips * TILE);
        Probe.reach(ProbePoint.PARTIAL_SUM_DIGEST, w.digests, digest, WIDE_LANES);
      }
      for (int i = 0; i < panels; i++) {
        int at = tiles + i * w.strips * TILE;
        Strip.subtract(w.tiles, at, rows * TILE_COLUMNS, w.digests, digest);
      }
      if (!w.takeZero(digest)) {
        suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
      }
    }
  }

  /** Stores a finished tile into C; what C holds then is compared with the digest of its block. */
  private static void store(
      GemmProblem p, Region region, int row, int rows, int block, int panel, VectorWorkspace w) {
    if (Probe.ON) {
      Probe.reach(ProbePoint.TILE_WRITTEN, w.tiles, w.lastTile, rows * TILE_COLUMNS);
    }
    long column = (region.block + block) * CheckBlock.COLUMNS + (long) panel * TILE_COLUMNS;
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
    if (!w.takeZero(w.tileDigest) && p.verify) {
      suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
    }
  }

  /** After the last panel of a check block: reads C back, for its checksums and seals. */
  private static void close(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    int columns = p.b.columnsOf(region.block + block);
    long left = 4 * (region.block + block) * CheckBlock.COLUMNS;
    long c = p.cRow(region.matrix, region.row) + left;
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_STORED, p.c, c, region.rows, 4L * columns, p.cStride);
    }
    for (int strip = 0; p.verify && strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      int digest = w.blockDigest(strip);
      show(p, region, row, rows, block, digest, w);
      if (!w.takeZero(digest)) {
        suspect(p, region, row, rows, block, 1, Component.OUTPUT, sink);
      }
      int end = row + rows;
      if (end % CheckBlock.ROWS == 0 || end == region.rows) {
        SealGrid seals = p.cSeals;
        if (seals != null) {
          long blockRow = (region.row + row) / CheckBlock.ROWS;
          int sums = Seal.SUMS * seals.block(region.matrix, blockRow, region.block + block);
          int sealed = (end - 1) % CheckBlock.ROWS + 1;
          finishBlock(sealed, w.cRaw, w.folded, seals.sums(), sums);
        }
        Arrays.fill(w.cRaw, 0);
      }
    }
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_CHECKED, p.c, c, region.rows, 4L * columns, p.cStride);
    }
  }

  private static void show(
      GemmProblem p, Region region, int row, int rows, int block, int digest, VectorWorkspace w) {
    Evidence evidence = w.evidence;
    int columns = p.b.columnsOf(region.block + block);
    long at =
        p.cRow(region.matrix, region.row + row) + 4 * (region.block + block) * CheckBlock.COLUMNS;
    int pattern = (int) ((region.block + block) % Signs.PATTERNS);
    int shown = evidence.at(row, evidence.checkOf(block));
    if (columns == CheckBlock.COLUMNS) {
      BlockPass.showFull(p.c, at, p.cStride, rows, pattern, w.cRaw, w.digests, digest, w.lanes);
      BlockPass.addUp(w.lanes, rows, evidence.shown, shown, evidence.checks());
    } else {
      BlockPass.showPart(
          p.c,
          at,
          p.cStride,
          rows,
          columns,
          pattern,
          w.staged,
          w.cRaw,
          w.digests,
          digest,
          evidence.shown,
          shown,
          evidence.checks());
    }
  }

  /** Completes the evidence of a region and hands it over. */
  private static void evidence(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    Evidence evidence = w.evidence;
    int checks = evidence.checks();
    for (int check = 0; check < checks; check++) {
      long first = region.block + evidence.firstBlock(check);
      int blocks = evidence.blocksOf(check);
      int columns = (blocks - 1) * CheckBlock.COLUMNS + b.columnsOf(first + blocks - 1);
      for (int row = 0; row < region.rows; row++) {
        double signed = 0;
        double squares = 0;
        if (p.beta != 0) {
          oldSums(p, region, row, first, blocks, w);
          signed = w.oldSigned;
          squares = w.oldSquares;
        }
        evidence.close(
            evidence.at(row, check), p.alpha, p.beta, b.depth(), columns, signed, squares);
      }
    }
    if (Probe.ON) {
      int count = region.rows * checks;
      Probe.reach(ProbePoint.EVIDENCE, evidence.predicted, 0, count);
      Probe.reach(ProbePoint.EVIDENCE, evidence.shown, 0, count);
      Probe.reach(ProbePoint.TOLERANCE, evidence.tolerance, 0, count);
    }
    sink.evidence(p, region, region.row, region.rows, evidence, 0);
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
      int strip,
      int depth,
      int loadAt,
      VectorWorkspace w) {
    PackedB b = p.b;
    long bytes = 4L * b.panelWords(kBlock);
    Probe.reach(ProbePoint.PACKED_B_READ, b.panels(), b.panelOffset(panel, kBlock), 1, bytes, 0);
    probeStrip(ProbePoint.PACKED_A_READ, strip, depth, w);
    if (!first) {
      int rows = w.row[strip + 1] - w.row[strip];
      Probe.reach(ProbePoint.PARTIAL_SUM_READ, w.tiles, loadAt, rows * TILE_COLUMNS);
    }
  }

  private static void probeStrip(ProbePoint point, int strip, int depth, VectorWorkspace w) {
    Probe.reach(
        point,
        MemorySegment.ofArray(w.copied[strip]),
        0,
        w.row[strip + 1] - w.row[strip],
        4L * depth,
        4L * MicroKernel.STRIP_STRIDE);
  }
}
