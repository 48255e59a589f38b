package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.checksum.Tolerance;
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
  private static final MicroKernel[] FIRST = new MicroKernel[TILE_ROWS + 1];
  private static final MicroKernel[] NEXT = new MicroKernel[TILE_ROWS + 1];

  static {
    for (int rows = 1; rows <= TILE_ROWS; rows++) {
      FIRST[rows] = MicroKernelWriter.write(rows, false);
      NEXT[rows] = MicroKernelWriter.write(rows, true);
    }
  }

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
    var w = (VectorWorkspace) workspace;
    Arrays.fill(w.folded, 0);
    if (memory.isNative() && grid.range().columnStride() == 1) {
      SealLanes.sums(
          memory,
          4 * grid.word(block),
          4 * grid.range().rowStride(),
          grid.rows(block),
          grid.columns(block),
          CheckBlock.COLUMNS,
          w.raw,
          w.folded,
          found,
          0);
    } else {
      grid.scan(memory, block, found, 0);
    }
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
      w.evidence.open(region.rows, region.blocks);
    }
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
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
    PackedB b = p.b;
    int depth = b.depthOf(kBlock);
    boolean first = kBlock == 0;
    boolean last = kBlock == b.kBlocks() - 1;
    MicroKernel kernel = (first ? FIRST : NEXT)[rows];
    long aRow = p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
    if (Probe.ON) {
      Probe.reach(ProbePoint.A_READ, p.a, aRow, rows, 4L * depth, p.aStride);
      if (p.verify) {
        PackedBCheck.probeRecords(p, region, kBlock);
      }
    }
    for (int i = 0; i < rows; i++) {
      long from = aRow + i * p.aStride;
      Strip.copyRow(p.a, from, depth, w.strip, i * MicroKernel.STRIP_STRIDE, w.stripDigest);
      if (p.verify) {
        predict(p, region, kBlock, from, depth, row + i, w);
      }
    }
    if (Probe.ON) {
      probeStrip(ProbePoint.PACKED_A_WRITTEN, rows, depth, w);
    }
    int tile = TILE_ROWS * TILE_COLUMNS;
    int slot = b.kBlocks() == 1 ? 0 : row / TILE_ROWS * PackedBCheck.panels(region, b);
    int to = (kBlock & 1) * w.tilesHalf;
    int from = w.tilesHalf - to;
    for (int block = 0; block < region.blocks; block++) {
      long panel = b.panel(region.matrix, region.block + block);
      int count = b.panelsOf(region.block + block);
      for (int i = 0; i < count; i++, slot++) {
        int loadAt = from + slot * tile;
        int storeAt = to + slot * tile;
        int digestAt = storeAt / tile * WIDE_LANES;
        if (Probe.ON) {
          Probe.reach(
              ProbePoint.PACKED_B_READ,
              b.panels(),
              b.panelOffset(panel + i, kBlock),
              1,
              4L * b.panelWords(kBlock),
              0);
          probeStrip(ProbePoint.PACKED_A_READ, rows, depth, w);
          if (!first) {
            Probe.reach(ProbePoint.PARTIAL_SUM_READ, w.tiles, loadAt, rows * TILE_COLUMNS);
          }
        }
        kernel.run(
            w.strip,
            b.panels(),
            b.panelOffset(panel + i, kBlock),
            depth,
            w.tiles,
            loadAt,
            storeAt,
            w.digests,
            digestAt);
        if (Probe.ON && !first) {
          Probe.reach(ProbePoint.PARTIAL_SUM_LAST_USE, w.tiles, loadAt, rows * TILE_COLUMNS);
        }
        if (p.verify && !first) {
          verifyPartial(p, region, row, rows, block, loadAt, w, sink);
        }
        if (last) {
          finish(p, region, row, rows, block, i, storeAt, digestAt, w, sink);
          if (b.kBlocks() == 1) {
            slot--; // the same tile buffer again: it stays in L1
          }
        }
      }
    }
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
    if (last) {
      close(p, region, row, rows, w, sink);
    }
  }

  private static void predict(
      GemmProblem p, Region region, int kBlock, long from, int depth, int row, VectorWorkspace w) {
    PackedB b = p.b;
    long record = b.recordOffset(region.matrix, region.block, kBlock);
    if (region.blocks == 3) {
      Prediction.three(
          p.a, from, depth, b.records(), record, b.recordBytes(), b.coefficients(), w.prediction);
    } else {
      for (int block = 0; block < region.blocks; block++) {
        Prediction.one(
            p.a,
            from,
            depth,
            b.records(),
            record + block * b.recordBytes(),
            b.coefficients(),
            w.prediction,
            block);
      }
    }
    for (int block = 0; block < region.blocks; block++) {
      double mean =
          b.records().get(ValueLayout.JAVA_DOUBLE, record + block * b.recordBytes() + b.mean());
      w.evidence.add(
          w.evidence.at(row, block),
          w.prediction[block],
          w.prediction[Prediction.SPREAD + block],
          w.prediction[Prediction.SUM] * mean,
          depth,
          b.columnsOf(region.block + block));
    }
  }

  private static void verifyPartial(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int block,
      int loadAt,
      VectorWorkspace w,
      EvidenceSink sink) {
    int digestAt = loadAt / (TILE_ROWS * TILE_COLUMNS) * WIDE_LANES;
    if (Probe.ON) {
      Probe.reach(ProbePoint.PARTIAL_SUM_DIGEST, w.digests, digestAt, WIDE_LANES);
    }
    Strip.subtract(w.tiles, loadAt, rows * TILE_COLUMNS, w.digests, digestAt);
    if (!Strip.isZero(w.digests, digestAt)) {
      suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
    }
  }

  /** Brings a finished tile into C: factors, store, seal. */
  private static void finish(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int block,
      int panel,
      int at,
      int digestAt,
      VectorWorkspace w,
      EvidenceSink sink) {
    int left = panel * TILE_COLUMNS;
    int columns = Math.min(TILE_COLUMNS, p.b.columnsOf(region.block + block) - left);
    long column = (region.block + block) * CheckBlock.COLUMNS + left;
    if (Probe.ON) {
      Probe.reach(ProbePoint.TILE_WRITTEN, w.tiles, at, rows * TILE_COLUMNS);
    }
    if (p.beta != 0) {
      long old = p.oldCRow(region.matrix, region.row + row) + 4 * column;
      if (Probe.ON) {
        Probe.reach(ProbePoint.OLD_C_READ, p.oldC, old, rows, 4L * columns, p.oldCStride);
      }
      Tile.blend(
          w.tiles,
          at,
          rows,
          columns,
          p.alpha,
          p.beta,
          p.oldC,
          old,
          p.oldCStride,
          w.digests,
          digestAt);
    } else if (p.alpha != 1) {
      Tile.scale(w.tiles, at, rows * TILE_COLUMNS, p.alpha, w.digests, digestAt);
    }
    long to = p.cRow(region.matrix, region.row + row) + 4 * column;
    if (!p.verify) {
      Tile.store(w.tiles, at, rows, columns, p.c, to, p.cStride);
      return;
    }
    int rowInBlock = row % CheckBlock.ROWS;
    for (int half = 0; half < TILE_COLUMNS; half += LANES) {
      int valid = columns - half;
      if (valid >= LANES) {
        SealLanes.store(
            w.tiles, at + half, TILE_COLUMNS, p.c, to + 4L * half, p.cStride, rows, w.raw);
      } else {
        SealLanes.store(
            w.tiles,
            at + half,
            TILE_COLUMNS,
            p.c,
            to + 4L * half,
            p.cStride,
            rows,
            Math.max(0, valid),
            w.raw);
      }
      SealLanes.fold(
          w.raw,
          rows,
          (long) rowInBlock * CheckBlock.COLUMNS + left + half,
          CheckBlock.COLUMNS,
          w.cFolded,
          block * SealLanes.FOLDED);
      for (int lane = 0; lane < WIDE_LANES; lane++) {
        w.digests[digestAt + lane] -= w.raw[6 * WIDE_LANES + lane];
      }
    }
    if (!Strip.isZero(w.digests, digestAt)) {
      suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
    }
  }

  /** After the last k-block of a strip. */
  private static void close(
      GemmProblem p, Region region, int row, int rows, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    long cRow = p.cRow(region.matrix, region.row + row) + 4L * region.block * CheckBlock.COLUMNS;
    long bytes = 4L * PackedBCheck.columns(region, b);
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_STORED, p.c, cRow, rows, bytes, p.cStride);
    }
    if (p.verify) {
      show(p, region, row, rows, cRow, w, sink);
    }
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_CHECKED, p.c, cRow, rows, bytes, p.cStride);
    }
  }

  /** The evidence of a strip, and the seals of check blocks that end with it. */
  private static void show(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      long cRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    PackedB b = p.b;
    Evidence evidence = w.evidence;
    for (int i = 0; i < rows; i++) {
      for (int block = 0; block < region.blocks; block++) {
        int columns = b.columnsOf(region.block + block);
        long left = 4L * block * CheckBlock.COLUMNS;
        int at = evidence.at(row + i, block);
        double oldSquares = 0;
        double bare = evidence.predicted[at];
        double result = p.alpha * bare;
        if (p.beta != 0) {
          long old =
              p.oldCRow(region.matrix, region.row + row + i)
                  + 4L * region.block * CheckBlock.COLUMNS
                  + left;
          RowSums.all(p.oldC, old, columns, w.rowSums);
          result += p.beta * w.rowSums[RowSums.SIGNED];
          oldSquares = w.rowSums[RowSums.SQUARES];
        }
        evidence.tolerance[at] =
            Tolerance.of(p.alpha, p.beta, b.depth(), columns, evidence.squares[at], oldSquares);
        evidence.predicted[at] = result;
        evidence.shown[at] = RowSums.signed(p.c, cRow + i * p.cStride + left, columns);
      }
    }
    if (Probe.ON) {
      int from = evidence.at(row, 0);
      Probe.reach(ProbePoint.EVIDENCE, evidence.predicted, from, rows * region.blocks);
      Probe.reach(ProbePoint.EVIDENCE, evidence.shown, from, rows * region.blocks);
      Probe.reach(ProbePoint.TOLERANCE, evidence.tolerance, from, rows * region.blocks);
    }
    sink.evidence(p, region, region.row + row, rows, evidence, row);
    int end = row + rows;
    SealGrid seals = p.cSeals;
    if (end % CheckBlock.ROWS == 0 || end == region.rows) {
      long blockRow = (region.row + row) / CheckBlock.ROWS;
      for (int block = 0; block < region.blocks; block++) {
        int at = 0;
        long[] sums = w.found;
        if (seals != null) {
          sums = seals.sums();
          at = Seal.SUMS * seals.block(region.matrix, blockRow, region.block + block);
        }
        SealLanes.finish(w.cFolded, block * SealLanes.FOLDED, sums, at);
      }
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

  private static void probeStrip(ProbePoint point, int rows, int depth, VectorWorkspace w) {
    Probe.reach(
        point, MemorySegment.ofArray(w.strip), 0, rows, 4L * depth, 4L * MicroKernel.STRIP_STRIDE);
  }
}
