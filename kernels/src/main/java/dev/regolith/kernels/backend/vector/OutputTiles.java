package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.ResultProbe;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/**
 * What becomes of a region's tiles: parked partial sums are verified, finished tiles brought into
 * C, C read back for its checksums and seals, the evidence completed.
 */
final class OutputTiles {
  private OutputTiles() {}

  /** Takes the partial sums that a sweep has just reloaded out of their digest. */
  static void takePartial(
      int kBlock, int block, int strip, int rows, int tile, int count, VectorWorkspace w) {
    int digest = w.partialDigest((kBlock & 1) ^ 1, strip, block);
    if (Probe.ON) {
      for (int i = 0; i < count; i++) {
        int words = rows * TILE_COLUMNS;
        Probe.reach(ProbePoint.PARTIAL_SUM_LAST_USE, w.tiles, tile + i * TILE, words);
      }
      Probe.reach(ProbePoint.PARTIAL_SUM_DIGEST, w.digests, digest, WIDE_LANES);
    }
    Strip.subtract(w.tiles, tile, TILE, count, rows * TILE_COLUMNS, w.digests, digest);
  }

  /** Whether all partial sums that a check block has reloaded were as they had been parked. */
  static void verifyPartial(
      GemmProblem p, Region region, int kBlock, int block, VectorWorkspace w, EvidenceSink sink) {
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      int digest = w.partialDigest((kBlock & 1) ^ 1, strip, block);
      if (!w.takeZero(digest)) {
        VectorGemm.suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
      }
    }
  }

  /**
   * Brings finished tiles of a strip into C that has factors, or fewer columns than a tile has room
   * for.
   */
  static void finish(
      GemmProblem p,
      Region region,
      int row,
      int rows,
      int block,
      int panel,
      int count,
      VectorWorkspace w,
      EvidenceSink sink) {
    for (int i = 0; i < count; i++) {
      int tile = w.lastTiles + i * TILE;
      int left = (panel + i) * TILE_COLUMNS;
      int columns = Math.min(TILE_COLUMNS, p.b.columnsOf(region.block + block) - left);
      long column = (region.block + block) * CheckBlock.COLUMNS + left;
      if (Probe.ON) {
        Probe.reach(ProbePoint.TILE_WRITTEN, w.tiles, tile, rows * TILE_COLUMNS);
      }
      if (p.beta != 0) {
        long old = p.oldCRow(region.matrix, region.row + row) + 4 * column;
        if (Probe.ON) {
          Probe.reach(ProbePoint.OLD_C_READ, p.oldC, old, rows, 4L * columns, p.oldCStride);
        }
        Tile.blend(
            w.tiles,
            tile,
            rows,
            columns,
            p.alpha,
            p.beta,
            p.oldC,
            old,
            p.oldCStride,
            w.digests,
            w.lastDigest);
      } else if (p.alpha != 1) {
        Tile.scale(w.tiles, tile, rows * TILE_COLUMNS, p.alpha, w.digests, w.lastDigest);
      }
      long to = p.cRow(region.matrix, region.row + row) + 4 * column;
      Tile.store(
          w.tiles,
          tile,
          rows,
          columns,
          p.c,
          to,
          p.cStride,
          w.digests,
          w.lastDigest,
          w.blockDigest(row));
    }
    if (!w.takeZero(w.lastDigest) && p.verify) {
      VectorGemm.suspect(p, region, row, rows, block, 1, Component.PARTIAL_SUM, sink);
    }
  }

  /** When all strips of a check block are stored: reads C back, for its checksums and seals. */
  static void close(
      GemmProblem p, Region region, int row, int block, VectorWorkspace w, EvidenceSink sink) {
    int rows = Math.min(CheckBlock.ROWS, region.rows - row);
    if (p.verify) {
      show(p, region, row, rows, block, w);
      if (!w.takeZero(w.blockDigest(row))) {
        VectorGemm.suspect(p, region, row, rows, block, 1, Component.OUTPUT, sink);
      }
    } else if (Probe.ON) {
      ResultProbe.reach(ProbePoint.C_STORED, p, region, row, rows, block);
      ResultProbe.reach(ProbePoint.C_CHECKED, p, region, row, rows, block);
    }
  }

  /** Reads a check block's columns of C, for their checksums and seals. */
  static void show(GemmProblem p, Region region, int block, VectorWorkspace w) {
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      show(p, region, row, Math.min(CheckBlock.ROWS, region.rows - row), block, w);
    }
  }

  private static void show(
      GemmProblem p, Region region, int row, int rows, int block, VectorWorkspace w) {
    if (Probe.ON) {
      ResultProbe.reach(ProbePoint.C_STORED, p, region, row, rows, block);
    }
    readBack(p, region, row, rows, block, w);
    SealGrid seals = p.cSeals;
    if (seals != null) {
      long blockRow = (region.row + row) / CheckBlock.ROWS;
      int sums = Seal.SUMS * seals.block(region.matrix, blockRow, region.block + block);
      w.view.finish(w.raw, seals.sums(), sums);
    }
    if (Probe.ON) {
      ResultProbe.reach(ProbePoint.C_CHECKED, p, region, row, rows, block);
    }
  }

  private static void readBack(
      GemmProblem p, Region region, int row, int rows, int block, VectorWorkspace w) {
    Evidence evidence = w.evidence;
    int columns = p.b.columnsOf(region.block + block);
    long at =
        p.cRow(region.matrix, region.row + row) + 4 * (region.block + block) * CheckBlock.COLUMNS;
    BlockView view = w.view;
    view.open(p.c, at, p.cStride, rows, columns, w.raw);
    int digest = w.blockDigest(row);
    int pattern = (int) ((region.block + block) % Signs.PATTERNS);
    BlockPass.show(
        view.memory,
        view.offset,
        view.stride,
        rows,
        view.width,
        pattern,
        w.raw,
        w.digests,
        digest,
        w.lanes);
    int shown = evidence.at(row, evidence.checkOf(block));
    BlockPass.addUp(w.lanes, rows, evidence.shown, shown, evidence.checks());
  }

  /** Completes the evidence of a region and hands it over. */
  static void evidence(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
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
      int signs = (int) (block % Signs.PATTERNS) * CheckBlock.COLUMNS;
      RowSums.all(p.oldC, old, p.b.columnsOf(block), signs, w.rowSums);
      w.oldSigned += w.rowSums[RowSums.SIGNED];
      w.oldSquares += w.rowSums[RowSums.SQUARES];
    }
  }
}
