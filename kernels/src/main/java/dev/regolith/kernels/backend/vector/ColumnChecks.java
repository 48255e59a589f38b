package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.LeftCheck;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.ResultProbe;
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
import org.jspecify.annotations.Nullable;

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

  /** Place of the factors of B's rows, one for every step along k. */
  private static final long OF_STEPS = ColumnSums.at(ColumnSums.SIGNED, 0);

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private ColumnChecks() {}

  /** Reads a check block's columns of C back, when all of them are stored. */
  static void show(GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    readBack(p, region, block, w);
    settle(p, region, block, 1, w, sink);
  }

  /** Reads columns of C for their seals and sums; what was read is taken out of the digests. */
  private static void readBack(GemmProblem p, Region region, int block, VectorWorkspace w) {
    if (Probe.ON) {
      ResultProbe.reach(ProbePoint.C_STORED, p, region, block);
    }
    int columns = p.b.columnsOf(region.block + block);
    long c = p.cRow(region.matrix, region.row) + DirectGemm.firstColumn(region, block);
    int first = block * CheckBlock.COLUMNS;
    w.columnSums.clear(ColumnSums.SHOWN, 1, first, first + CheckBlock.pitch(columns));
    Blocks blocks = w.blocks.below(p.c, c, p.cStride, region.rows, columns, w.raw);
    add(Kind.SIGNED, blocks, true, BlockPass.ALIGNED_SIGNS, 0, ColumnSums.SHOWN, first, w);
    SealGrid seals = p.cSeals;
    for (int i = 0; i < blocks.count(); i++) {
      int row = i * CheckBlock.ROWS;
      if (seals != null) {
        long blockRow = (region.row + row) / CheckBlock.ROWS;
        int seal = seals.block(region.matrix, blockRow, region.block + block);
        blocks.seal(i, seals.sums(), Seal.SUMS * seal);
      }
    }
    if (Probe.ON) {
      ResultProbe.reach(ProbePoint.C_CHECKED, p, region, block);
    }
  }

  /** Compares what was stored into check blocks side by side with what was read back. */
  private static void settle(
      GemmProblem p, Region region, int block, int blocks, VectorWorkspace w, EvidenceSink sink) {
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      if (!w.takeZero(w.blockDigest(row))) {
        int height = Math.min(CheckBlock.ROWS, region.rows - row);
        VectorGemm.suspect(p, region, row, height, block, blocks, Component.OUTPUT, sink);
      }
    }
  }

  /**
   * When everything has been multiplied and shown: reads A, for its seals and its columns, then B,
   * and compares.
   */
  static void verify(GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(0);
    w.columnSums.open(p, region);
    w.columnSums.clear(ColumnSums.SIGNED, ColumnSums.THREE, 0, depth);
    for (int k = 0; k < depth; k += CheckBlock.COLUMNS) {
      readLeft(p, region, k, Math.min(CheckBlock.COLUMNS, depth - k), k, p.aSeals, w, sink);
    }
    w.columnSums.weigh(0, depth);
    for (int block = 0; block < region.blocks; block++) {
      readRight(p, region, block, depth, w, sink);
      if (p.beta != 0) {
        readOld(p, region, block, w);
      }
      compare(p, region, block, w, sink);
    }
  }

  /** Starts a region whose B is read a few rows at a time. */
  static void open(GemmProblem p, Region region, VectorWorkspace w) {
    w.columnSums.open(p, region);
    for (int block = 0; block < region.blocks; block++) {
      clearPredicted(p, region, block, w);
    }
  }

  /**
   * Reads some rows of B, which were just multiplied with, and before them the columns of A that
   * belong to them: what they predict.
   *
   * @param k the first of them, a multiple of a check block's rows
   * @param ahead how many bytes behind each word of B lies what will be read soon
   */
  static void predict(
      GemmProblem p,
      Region region,
      int k,
      int steps,
      long ahead,
      VectorWorkspace w,
      EvidenceSink sink) {
    w.columnSums.clear(ColumnSums.SIGNED, ColumnSums.THREE, 0, CheckBlock.pitch(steps));
    readLeft(p, region, k, steps, 0, null, w, sink);
    w.columnSums.weigh(k, steps);
    if (Probe.ON) {
      probe(ProbePoint.COLUMN_SUMS_READ, ColumnSums.SIGNED, ColumnSums.THREE, 0, steps, w);
    }
    for (int block = 0; block < region.blocks; block++) {
      readRows(p, region, block, k, steps, ahead, w, sink);
    }
  }

  /** When everything has been multiplied: reads C, then A once more, and compares. */
  static void verifyPredicted(
      Backend backend, GemmProblem p, Region region, VectorWorkspace w, EvidenceSink sink) {
    for (int block = 0; block < region.blocks; block++) {
      readBack(p, region, block, w);
    }
    settle(p, region, 0, region.blocks, w, sink);
    LeftCheck.verify(backend, p, region, w.found, w, sink);
    for (int block = 0; block < region.blocks; block++) {
      compare(p, region, block, w, sink);
    }
  }

  /**
   * Reads the columns of A of some steps.
   *
   * @param to where their sums belong
   * @param seals which blocks are compared with; null if they are read for their sums only
   */
  private static void readLeft(
      GemmProblem p,
      Region region,
      int k,
      int columns,
      int to,
      @Nullable SealGrid seals,
      VectorWorkspace w,
      EvidenceSink sink) {
    long a = p.aRow(region.matrix, region.row);
    Blocks blocks = w.blocks.below(p.a, a + 4L * k, p.aStride, region.rows, columns, w.raw);
    boolean scans = seals != null;
    add(Kind.SURVEYED, blocks, scans, BlockPass.ALIGNED_SIGNS, 0, ColumnSums.SIGNED, to, w);
    for (int i = 0; seals != null && i < blocks.count(); i++) {
      long row = region.row + i * (long) CheckBlock.ROWS;
      int block = p.aSealBlock(seals, region.matrix, row) + k / CheckBlock.COLUMNS;
      blocks.seal(i, w.found, 0);
      LeftCheck.compare(p, region, block, w.found, sink);
    }
  }

  private static void readRight(
      GemmProblem p, Region region, int block, int depth, VectorWorkspace w, EvidenceSink sink) {
    clearPredicted(p, region, block, w);
    if (Probe.ON) {
      probe(ProbePoint.COLUMN_SUMS_READ, ColumnSums.SIGNED, ColumnSums.THREE, 0, depth, w);
    }
    if (p.isDirect()) {
      readRows(p, region, block, 0, depth, MachineChains.AHEAD, w, sink);
    } else {
      readPanels(p, region, block, w, sink);
    }
  }

  private static Kind predicting(VectorWorkspace w) {
    return w.columnSums.repeats() ? Kind.REPEATED : Kind.PREDICTED;
  }

  private static void clearPredicted(GemmProblem p, Region region, int block, VectorWorkspace w) {
    int first = block * CheckBlock.COLUMNS;
    int end = first + CheckBlock.pitch(p.b.columnsOf(region.block + block));
    w.columnSums.clear(ColumnSums.PREDICTED, ColumnSums.THREE, first, end);
  }

  /**
   * Reads some rows of B where they lie, from a multiple of a check block's on.
   *
   * @param ahead how many bytes behind each word lies what will be read soon
   */
  private static void readRows(
      GemmProblem p,
      Region region,
      int block,
      int from,
      int rows,
      long ahead,
      VectorWorkspace w,
      EvidenceSink sink) {
    Range range = Objects.requireNonNull(p.bRange);
    SealGrid seals = p.bSeals;
    int columns = p.b.columnsOf(region.block + block);
    long b = 4 * range.word(region.matrix, from, 0) + DirectGemm.firstColumn(region, block);
    Blocks blocks = w.blocks.below(p.bSource, b, 4 * range.rowStride(), rows, columns, w.raw);
    blocks.ask(ahead);
    int first = block * CheckBlock.COLUMNS;
    add(
        predicting(w),
        blocks,
        seals != null,
        w.columnSums.memory,
        OF_STEPS,
        ColumnSums.PREDICTED,
        first,
        w);
    for (int i = 0; seals != null && i < blocks.count(); i++) {
      blocks.seal(i, w.found, 0);
      int found = seals.block(region.matrix, from / CheckBlock.ROWS + i, region.block + block);
      if (!Seal.same(w.found, 0, seals.sums(), Seal.SUMS * found)) {
        sink.rightDiffers(p, region, found);
      }
    }
  }

  /** Reads packed panels, and compares them with their seals. */
  private static void readPanels(
      GemmProblem p, Region region, int block, VectorWorkspace w, EvidenceSink sink) {
    PackedB b = p.b;
    VectorGemm.place(p, region, 0, region.block + block, w);
    int count = b.panelsOf(region.block + block);
    Blocks panels = w.blocks.panels(w.place, b.depthOf(0), count);
    int first = block * CheckBlock.COLUMNS;
    add(predicting(w), panels, true, w.columnSums.memory, OF_STEPS, ColumnSums.PREDICTED, first, w);
    long panel = b.panel(region.matrix, region.block + block);
    for (int i = 0; i < panels.count(); i++) {
      panels.seal(i, w.found, 0);
      PackedBCheck.compareSeal(p, region, panel + i, 0, w.found, sink);
    }
  }

  private static void readOld(GemmProblem p, Region region, int block, VectorWorkspace w) {
    int columns = p.b.columnsOf(region.block + block);
    int first = block * CheckBlock.COLUMNS;
    w.columnSums.clear(ColumnSums.OLD, ColumnSums.THREE, first, first + CheckBlock.pitch(columns));
    long old = p.oldCRow(region.matrix, region.row) + DirectGemm.firstColumn(region, block);
    Blocks blocks = w.blocks.below(p.oldC, old, p.oldCStride, region.rows, columns, w.raw);
    add(Kind.SURVEYED, blocks, false, BlockPass.ALIGNED_SIGNS, 0, ColumnSums.OLD, first, w);
  }

  /** Adds up the columns of blocks, and reads them for their seals, if these are wanted. */
  private static void add(
      Kind kind,
      Blocks blocks,
      boolean scans,
      MemorySegment factors,
      long factor,
      int line,
      int column,
      VectorWorkspace w) {
    MachineColumnSums.add(
        kind,
        blocks,
        scans,
        factors,
        factor,
        w.columnSums.memory,
        ColumnSums.at(line, column),
        w.digests,
        w.blockDigest(0));
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
