package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.vector.DirectKernel.Result;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/** The second computation of a product for which evidence would take longer. */
final class Repetition {
  private Repetition() {}

  /**
   * Multiplies everything a second time, in strips of another height if there are any, with columns
   * in other lanes and factors the other way round, and compares with C. Where they differ, a plain
   * loop has the last word.
   */
  static void repeat(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    if (Probe.ON) {
      OutputTiles.probe(ProbePoint.C_STORED, p, region, 0, region.rows, block);
    }
    if (DirectGemm.stages(p, region, block)) {
      DirectGemm.stageLast(p, region, block, w); // the first copy is part of the first computation
    }
    for (int strip = 0; strip < w.strips; ) {
      int top = w.row[strip];
      int left = Math.min(CheckBlock.ROWS, region.rows - top);
      int high = Math.max(1, w.row[strip + 1] - top - 1);
      int strips = left / high;
      boolean same = isSame(p, region, top, high, strips, block, w);
      int done = strips * high;
      if (done < left) {
        same &= isSame(p, region, top + done, left - done, 1, block, w);
      }
      if (!same && !isRight(p, region, top, left, block)) {
        VectorGemm.suspect(p, region, top, left, block, 1, Component.ARITHMETIC, sink);
      }
      while (strip < w.strips && w.row[strip] < top + left) {
        strip++;
      }
    }
    sink.compared(region.rows);
  }

  /** Multiplies strips a second time; whether C, of which they are, is the same. */
  private static boolean isSame(
      GemmProblem p, Region region, int row, int rows, int strips, int block, VectorWorkspace w) {
    int digest = w.lastDigest;
    int columns = p.b.columnsOf(region.block + block);
    int full = columns / TILE_COLUMNS;
    boolean stages = DirectGemm.stages(p, region, block);
    int inPlace = stages ? full : Math.ceilDiv(columns, TILE_COLUMNS);
    if (inPlace > 0) {
      DirectGemm.intoC(Result.COMPARED, p, region, row, rows, strips, block, inPlace, digest, w);
    }
    if (stages) {
      long c = p.cRow(region.matrix, region.row + row) + DirectGemm.firstColumn(region, block);
      long from = c + full * DirectGemm.Columns.PANEL;
      long to = BlockPass.STAGED_STRIDE;
      int left = columns % TILE_COLUMNS;
      BlockPass.stage(p.c, from, p.cStride, strips * rows, left, w.staged, w.raw);
      DirectGemm.Columns b = w.stagedColumns;
      DirectGemm.call(
          Result.COMPARED,
          p,
          region,
          row,
          rows,
          strips,
          b,
          0,
          1,
          TILE_COLUMNS,
          0,
          digest,
          w.staged,
          0,
          to,
          0,
          w);
    }
    return w.takeZero(digest);
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
}
