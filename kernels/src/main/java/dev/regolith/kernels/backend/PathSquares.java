package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The exact tolerance of one check: walks the partial sums of all its elements, and of the check's
 * own float32 sums, in double precision and from the inputs, and adds up their squares. Costs a few
 * times what the row costs in plain Java; done for the check that exceeds the estimated tolerance:
 * rare, but for products of a matrix with its own transpose, where a row has one such check.
 */
public final class PathSquares {
  /** Adding four lanes up in pairs, and a rest: at most 2, 4 and 5 times the lanes' squares. */
  private static final int COMBINED = 2 + 4 + 5;

  /** Roundings of v itself, and of up to four of them added up. */
  private static final int VECTOR = 4;

  /** What a shown checksum makes of the old C at worst, over what the estimate says. */
  private static final int OLD_BOUND = 10;

  private static final int STEPS = Evidence.PATH_STEPS;

  private PathSquares() {}

  /** The tolerance of {@code row} over some check blocks, given the inputs as they are now. */
  public static double tolerance(
      GemmProblem p, long matrix, long row, long block, int blocks, Evidence room) {
    PackedB b = p.b;
    double squares =
        room.predictionLanes == 0 ? 0 : predictionSquares(p, matrix, row, block, blocks, room);
    squares += room.vectorLanes == 0 ? 0 : vectorSquares(p, matrix, row, block, blocks, room);
    double oldSquares = 0;
    int columns = 0;
    for (int i = 0; i < blocks; i++) {
      squares += squares(p, matrix, row, block + i, room);
      oldSquares += p.beta == 0 ? 0 : oldSquares(p, matrix, row, block + i);
      columns += b.columnsOf(block + i);
    }
    return Tolerance.of(p.alpha, p.beta, b.depth(), columns, squares, OLD_BOUND * oldSquares);
  }

  private static double oldSquares(GemmProblem p, long matrix, long row, long block) {
    long old = p.oldCRow(matrix, row) + 4 * block * CheckBlock.COLUMNS;
    double squares = 0;
    for (int j = 0; j < p.b.columnsOf(block); j++) {
      double x = p.oldC.get(ValueLayout.JAVA_FLOAT, old + 4L * j);
      squares += x * x;
    }
    return squares;
  }

  /** Of one check block: the paths of its elements, and the lanes that show it. */
  private static double squares(GemmProblem p, long matrix, long row, long block, Evidence room) {
    PackedB b = p.b;
    int columns = b.panelsOf(block) * b.panelColumns();
    Arrays.fill(room.path, 0, columns, 0);
    Arrays.fill(room.pathSquares, 0, columns, 0);
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      long a = p.aRow(matrix, row) + 4L * kBlock * PackedB.DEPTH;
      for (int first = 0; first < b.depthOf(kBlock); first += STEPS) {
        int steps = copyRows(b, matrix, block, kBlock, first, room);
        for (int k = 0; k < steps; k++) {
          float x = p.a.get(ValueLayout.JAVA_FLOAT, a + 4L * (first + k));
          step(x, room.rows, k * columns, room.path, room.pathSquares, columns);
        }
      }
    }
    double squares = shown(columns, block, room) + combined(room, room.shownLanes);
    for (int j = 0; j < columns; j++) {
      squares += room.pathSquares[j];
    }
    return squares;
  }

  /** Copies some rows of a check block of B, one behind the other; how many. */
  private static int copyRows(
      PackedB b, long matrix, long block, int kBlock, int first, Evidence room) {
    int steps = Math.min(STEPS, b.depthOf(kBlock) - first);
    int width = b.panelColumns();
    int panels = b.panelsOf(block);
    MemorySegment memory = b.panelsWith(b.panel(matrix, block));
    for (int panel = 0; panel < panels; panel++) {
      long from = b.panelOffset(b.panel(matrix, block) + panel, kBlock) + 4L * first * width;
      MemorySegment.copy(memory, ValueLayout.JAVA_FLOAT, from, room.panelRows, 0, steps * width);
      for (int k = 0; k < steps; k++) {
        int to = (k * panels + panel) * width;
        System.arraycopy(room.panelRows, k * width, room.rows, to, width);
      }
    }
    return steps;
  }

  /** One step of all columns; adds the squares of the new partial sums. */
  private static void step(
      double x, float[] rows, int at, double[] path, double[] squares, int columns) {
    for (int j = 0; j < columns; j++) {
      double sum = path[j] + x * rows[at + j];
      path[j] = sum;
      squares[j] += sum * sum;
    }
  }

  private static double shown(int columns, long block, Evidence room) {
    double squares = 0;
    Arrays.fill(room.lane, 0);
    for (int j = 0; room.shownLanes > 0 && j < columns; j++) {
      int lane = j % room.shownLanes;
      double sum = room.lane[lane] + Signs.of(block, j) * room.path[j];
      room.lane[lane] = sum;
      squares += sum * sum;
    }
    return squares;
  }

  private static double predictionSquares(
      GemmProblem p, long matrix, long row, long block, int blocks, Evidence room) {
    PackedB b = p.b;
    double squares = 0;
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      Arrays.fill(room.lane, 0);
      Arrays.fill(room.rest, 0);
      long a = p.aRow(matrix, row) + 4L * kBlock * PackedB.DEPTH;
      int full = b.depthOf(kBlock) / room.predictionUnit * room.predictionUnit;
      for (int k = 0; k < b.depthOf(kBlock); k++) {
        double v = 0;
        for (int i = 0; i < blocks; i++) {
          long record = b.recordOffset(matrix, block + i, kBlock);
          v += b.records().get(ValueLayout.JAVA_FLOAT, record + 4L * k);
        }
        double term = p.a.get(ValueLayout.JAVA_FLOAT, a + 4L * k) * v;
        double[] lanes = k < full ? room.lane : room.rest;
        int lane = k < full ? k % room.predictionLanes : (k - full) % room.rest.length;
        double sum = lanes[lane] + term;
        lanes[lane] = sum;
        squares += sum * sum + VECTOR * term * term;
      }
      squares += combined(room, room.predictionLanes);
      for (double rest : room.rest) {
        squares += restCombined(room.restTogether) * rest * rest;
      }
    }
    return squares;
  }

  /**
   * Adding up to four lanes of last terms up in pairs, and their sum to the others': at most so
   * many times the lanes' squares.
   */
  private static int restCombined(int together) {
    return (together > 1 ? 2 : 0) + (together > 2 ? 4 : 0) + 5 * together;
  }

  /** What the lanes of check vectors err by, each step of them times its element of A. */
  private static double vectorSquares(
      GemmProblem p, long matrix, long row, long block, int blocks, Evidence room) {
    if (!room.hasVectorSquares(matrix, block)) {
      vectorSquares(p.b, matrix, block, blocks, room);
    }
    double squares = 0;
    long a = p.aRow(matrix, row);
    for (int k = 0; k < p.b.depth(); k++) {
      double x = p.a.get(ValueLayout.JAVA_FLOAT, a + 4L * k);
      squares += x * x * room.vectorSquares[k];
    }
    return squares;
  }

  /** Squares of the lanes' partial sums in every step; the same for all rows. */
  private static void vectorSquares(PackedB b, long matrix, long block, int blocks, Evidence room) {
    room.openVectorSquares(matrix, block, b.depth());
    for (int i = 0; i < blocks; i++) {
      int columns = b.panelsOf(block + i) * b.panelColumns();
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        for (int first = 0; first < b.depthOf(kBlock); first += STEPS) {
          int steps = copyRows(b, matrix, block + i, kBlock, first, room);
          for (int k = 0; k < steps; k++) {
            room.vectorSquares[kBlock * PackedB.DEPTH + first + k] +=
                laneSquares(k * columns, columns, b.panelColumns(), block + i, room);
          }
        }
      }
    }
  }

  private static double laneSquares(int at, int columns, int width, long block, Evidence room) {
    double squares = 0;
    Arrays.fill(room.lane, 0, room.vectorLanes, 0);
    for (int j = 0; j < columns; j++) {
      int lane = j % width % room.vectorLanes;
      double sum = room.lane[lane] + Signs.of(block, j) * room.rows[at + j];
      room.lane[lane] = sum;
      squares += sum * sum;
    }
    return squares;
  }

  private static double combined(Evidence room, int lanes) {
    double squares = 0;
    for (int lane = 0; lane < lanes; lane++) {
      squares += COMBINED * room.lane[lane] * room.lane[lane];
    }
    return squares;
  }
}
