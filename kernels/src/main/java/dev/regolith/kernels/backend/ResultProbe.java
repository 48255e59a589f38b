package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/**
 * Shows C to a campaign, a check block at a time, whoever computes it and whether it is verified:
 * so that the same faults can be told of both. For who has asked {@link Probe#ON}.
 */
public final class ResultProbe {
  private ResultProbe() {}

  /** All check blocks of a region. */
  public static void reach(ProbePoint point, GemmProblem p, Region region) {
    for (int block = 0; block < region.blocks; block++) {
      reach(point, p, region, block);
    }
  }

  /** Those of a region's block of columns. */
  public static void reach(ProbePoint point, GemmProblem p, Region region, int block) {
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      reach(point, p, region, row, Math.min(CheckBlock.ROWS, region.rows - row), block);
    }
  }

  /** One of these. */
  public static void reach(
      ProbePoint point, GemmProblem p, Region region, int row, int rows, int block) {
    long c =
        p.cRow(region.matrix, region.row + row) + 4 * (region.block + block) * CheckBlock.COLUMNS;
    int columns = p.b.columnsOf(region.block + block);
    Probe.reach(point, p.c, c, rows, 4L * columns, p.cStride);
  }
}
