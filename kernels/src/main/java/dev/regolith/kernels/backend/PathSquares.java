package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The exact tolerance of one row of one check block: walks the partial sums of all its elements, in
 * double precision and from the inputs, and adds up their squares. Costs as much as computing the
 * row by plain Java; done for the rare check that exceeds the estimated tolerance.
 */
public final class PathSquares {
  private PathSquares() {}

  /** The tolerance of row {@code row}, given the inputs as they are now. */
  public static double tolerance(GemmProblem p, long matrix, long row, long block, Evidence room) {
    PackedB b = p.b;
    int columns = b.columnsOf(block);
    double squares = squares(p, matrix, row, block, room);
    double oldSquares = 0;
    if (p.beta != 0) {
      long old = p.oldCRow(matrix, row) + 4 * block * CheckBlock.COLUMNS;
      for (int j = 0; j < columns; j++) {
        double x = p.oldC.get(ValueLayout.JAVA_FLOAT, old + 4L * j);
        oldSquares += x * x;
      }
    }
    return Tolerance.of(p.alpha, p.beta, b.depth(), columns, squares, oldSquares);
  }

  private static double squares(GemmProblem p, long matrix, long row, long block, Evidence room) {
    PackedB b = p.b;
    double squares = 0;
    int width = b.panelColumns();
    for (int panel = 0; panel < b.panelsOf(block); panel++) {
      java.util.Arrays.fill(room.path, 0, width, 0);
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        long from = b.panelOffset(b.panel(matrix, block) + panel, kBlock);
        long a = p.aRow(matrix, row) + 4L * kBlock * PackedB.DEPTH;
        for (int k = 0; k < b.depthOf(kBlock); k++) {
          MemorySegment.copy(b.panels(), ValueLayout.JAVA_FLOAT, from, room.panelRow, 0, width);
          squares +=
              step(p.a.get(ValueLayout.JAVA_FLOAT, a + 4L * k), room.panelRow, room.path, width);
          from += 4L * width;
        }
      }
    }
    return squares;
  }

  /** One step of a panel's columns; the squares of the new partial sums. */
  private static double step(double x, float[] row, double[] path, int width) {
    double squares = 0;
    for (int j = 0; j < width; j++) {
      double sum = path[j] + x * row[j];
      path[j] = sum;
      squares += sum * sum;
    }
    return squares;
  }
}
