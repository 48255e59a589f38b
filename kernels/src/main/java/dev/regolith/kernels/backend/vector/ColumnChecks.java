package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.LeftCheck;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.vector.MachineColumnSums.Kind;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * The check of a product that is multiplied where it lies: a checksum for every column of a region.
 * With signs s_i of rows,
 *
 * <pre>
 *   predicted[j] = sum_k (sum_i s_i a[i][k]) b[k][j]        shown[j] = sum_i s_i c[i][j]
 * </pre>
 *
 * <p>Everything is added up downwards, so that vectors need no sums of their lanes, nothing is
 * packed, and A, B and C are read while they are near, for their seals and these sums. A column
 * whose residual exceeds its tolerance is computed by a plain loop, which has the last word; where
 * there are many, or inputs that are not finite, all of the check block is computed once more, and
 * checked by rows.
 */
final class ColumnChecks {
  /**
   * Columns of a check block that a plain loop computes, if need be; with more, it takes less to
   * compute all of them once more as any other product is, with checks of rows.
   */
  private static final int SECOND_LOOKS = 4;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private ColumnChecks() {}

  /** Adds up rows of C that were read back just now, while they are near. */
  static void show(int row, int block, VectorWorkspace w) {
    ColumnSums sums = w.columnSums;
    int first = block * CheckBlock.COLUMNS;
    if (row == 0) {
      sums.clear(ColumnSums.SHOWN, 1, first, first + w.view.width);
    }
    add(Kind.SIGNED, BlockPass.ALIGNED_SIGNS, row, ColumnSums.SHOWN, first, w);
  }

  /**
   * When everything has been multiplied and shown: reads A, for its seals and its columns, then B,
   * and compares.
   */
  static void verify(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    w.columnSums.open(p, region);
    readLeft(p, region, w, sink);
    w.columnSums.weigh();
    for (int block = 0; block < region.blocks; block++) {
      readRight(p, region, block, w, sink);
      if (p.beta != 0) {
        readOld(p, region, block, w);
      }
      compare(p, region, block, w, sink);
    }
  }

  private static void readLeft(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(0);
    BlockView view = w.view;
    SealGrid seals = p.aSeals;
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      int rows = Math.min(CheckBlock.ROWS, region.rows - row);
      long a = p.aRow(region.matrix, region.row + row);
      for (int k = 0; k < depth; k += CheckBlock.COLUMNS) {
        int columns = Math.min(CheckBlock.COLUMNS, depth - k);
        view.open(p.a, a + 4L * k, p.aStride, rows, columns, w.raw);
        if (seals != null) {
          view.scan(w.raw);
          view.finish(w.raw, w.found, 0);
          int block = p.aSealBlock(seals, region.matrix, region.row + row) + k / CheckBlock.COLUMNS;
          LeftCheck.compare(p, region, block, w.found, sink);
        }
        add(Kind.SURVEYED, BlockPass.ALIGNED_SIGNS, row, ColumnSums.SIGNED, k, w);
      }
    }
  }

  private static void readRight(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    int first = block * CheckBlock.COLUMNS;
    int end = first + CheckBlock.pitch(p.b.columnsOf(region.block + block));
    w.columnSums.clear(ColumnSums.PREDICTED, ColumnSums.THREE, first, end);
    if (Probe.ON) {
      probe(ProbePoint.COLUMN_SUMS_READ, ColumnSums.SIGNED, ColumnSums.THREE, 0, p.b.depthOf(0), w);
    }
    if (p.isDirect()) {
      readRows(p, region, block, w, sink);
    } else {
      readPanels(p, region, block, w, sink);
    }
  }

  /** Reads B where it lies. */
  private static void readRows(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    Range range = Objects.requireNonNull(p.bRange);
    SealGrid seals = p.bSeals;
    int columns = p.b.columnsOf(region.block + block);
    long b = 4 * range.word(region.matrix, 0, 0) + DirectGemm.firstColumn(region, block);
    long stride = 4 * range.rowStride();
    for (int k = 0; k < p.b.depthOf(0); k += CheckBlock.ROWS) {
      int rows = Math.min(CheckBlock.ROWS, p.b.depthOf(0) - k);
      w.view.open(p.bSource, b + k * stride, stride, rows, columns, w.raw);
      if (seals != null) {
        w.view.scan(w.raw);
        w.view.finish(w.raw, w.found, 0);
        int found = seals.block(region.matrix, k / CheckBlock.ROWS, region.block + block);
        if (!Seal.same(w.found, 0, seals.sums(), Seal.SUMS * found)) {
          sink.rightDiffers(p, region, found);
        }
      }
      add(
          Kind.PREDICTED,
          w.columnSums.memory,
          ColumnSums.at(ColumnSums.SIGNED, k),
          ColumnSums.PREDICTED,
          block * CheckBlock.COLUMNS,
          w);
    }
  }

  /** Reads packed panels, and compares them with their seals. */
  private static void readPanels(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    VectorGemm.place(p, region, 0, region.block + block, w);
    MemorySegment sums = w.columnSums.memory;
    long panel = b.panel(region.matrix, region.block + block);
    for (int i = 0; i < b.panelsOf(region.block + block); i++) {
      MemorySegment memory = w.place.memory();
      long at = w.place.offset(i);
      int words = b.panelWords(0);
      BlockPass.scan(memory, at, 0, 1, words, w.raw);
      SealLanes.finish(w.raw, words / LANES, w.found, 0);
      PackedBCheck.compareSeal(p, region, panel + i, 0, w.found, sink);
      MachineColumnSums.add(
          Kind.PREDICTED,
          memory,
          at,
          DirectGemm.Columns.PANEL,
          b.depthOf(0),
          TILE_COLUMNS,
          sums,
          ColumnSums.at(ColumnSums.SIGNED, 0),
          sums,
          ColumnSums.at(ColumnSums.PREDICTED, block * CheckBlock.COLUMNS + i * TILE_COLUMNS));
    }
  }

  private static void readOld(GemmProblem p, Region region, int block, VectorWorkspace w) {
    int columns = p.b.columnsOf(region.block + block);
    int first = block * CheckBlock.COLUMNS;
    w.columnSums.clear(ColumnSums.OLD, ColumnSums.THREE, first, first + CheckBlock.pitch(columns));
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      int rows = Math.min(CheckBlock.ROWS, region.rows - row);
      long old = p.oldCRow(region.matrix, region.row + row) + DirectGemm.firstColumn(region, block);
      w.view.open(p.oldC, old, p.oldCStride, rows, columns, w.raw);
      add(Kind.SURVEYED, BlockPass.ALIGNED_SIGNS, row, ColumnSums.OLD, first, w);
    }
  }

  /** Adds up the rows that are in view. */
  private static void add(
      Kind kind, MemorySegment factors, long factor, int line, int column, VectorWorkspace w) {
    BlockView view = w.view;
    MachineColumnSums.add(
        kind,
        view.memory,
        view.offset,
        view.stride,
        view.rows,
        view.width,
        factors,
        factor,
        w.columnSums.memory,
        ColumnSums.at(line, column));
  }

  private static void compare(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    ColumnSums sums = w.columnSums;
    int first = block * CheckBlock.COLUMNS;
    int end = first + p.b.columnsOf(region.block + block);
    if (Probe.ON) {
      int columns = end - first;
      probe(ProbePoint.EVIDENCE, ColumnSums.PREDICTED, 1, first, columns, w);
      probe(ProbePoint.EVIDENCE, ColumnSums.SHOWN, 1, first, columns, w);
      probe(ProbePoint.TOLERANCE, ColumnSums.SQUARES, 1, first, columns, w);
    }
    sink.checked(end - first);
    int column = first;
    int looks = 0;
    while ((column = sums.exceeding(column, end)) < end) {
      int next = Math.min(end, column + LANES);
      for (; column < next; column++) {
        if (sums.agrees(column)) {
          continue;
        }
        if (!sums.predicts(column) || looks++ == SECOND_LOOKS) {
          sink.undecided(p, blockOf(region, block));
          return;
        }
        sink.refined();
        if (!isRight(p, region, block, column - first, w)) {
          VectorGemm.suspect(p, region, 0, region.rows, block, 1, Component.ARITHMETIC, sink);
          return;
        }
      }
    }
  }

  private static Region blockOf(Region region, int block) {
    return new Region().set(region.matrix, region.row, region.rows, region.block + block, 1);
  }

  /** Whether a column of C is what a plain loop computes; any NaN is as good as another. */
  private static boolean isRight(
      GemmProblem p, Region region, int block, int inBlock, VectorWorkspace w) {
    DirectGemm.Columns right = DirectGemm.open(p, region, block, w);
    long first = right.column(inBlock);
    long column = (region.block + block) * CheckBlock.COLUMNS + inBlock;
    for (long row = region.row; row < region.row + region.rows; row++) {
      long a = p.aRow(region.matrix, row);
      float sum = 0;
      for (int k = 0; k < p.depth; k++) {
        sum = Math.fma(p.a.get(FLOAT, a + 4L * k), right.get(first, k), sum);
      }
      float result = p.alpha * sum;
      if (p.beta != 0) {
        float old = p.oldC.get(FLOAT, p.oldCRow(region.matrix, row) + 4 * column);
        result = Math.fma(p.alpha, sum, p.beta * old);
      }
      float stored = p.c.get(FLOAT, p.cRow(region.matrix, row) + 4 * column);
      if (Float.floatToIntBits(result) != Float.floatToIntBits(stored)) {
        return false;
      }
    }
    return true;
  }

  private static void probe(
      ProbePoint point, int line, int lines, int first, int columns, VectorWorkspace w) {
    long at = 4L * ColumnSums.at(line, first);
    Probe.reach(point, w.columnSums.memory, at, lines, 4L * columns, ColumnSums.BYTES);
  }
}
