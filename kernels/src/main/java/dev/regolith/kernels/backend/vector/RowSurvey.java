package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.DOUBLES;
import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.HALVES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What tolerances need to know of a check block's rows in a k-block: a vector of partial sums of
 * squares for every {@link Tolerance#GRAIN} steps, and one of the words themselves. Made in float32
 * while they are copied; where that left its range, the words are walked again.
 */
final class RowSurvey {
  /** Floats from one row's squares to the next row's. */
  static final int ROW = PackedB.GRAINS * LANES;

  /** Least sum of squares that float32 holds well enough. */
  static final double SMALLEST = 1e-25;

  /** Largest one. */
  static final double LARGEST = 1e35;

  /** Squares of row {@code i}, grain {@code g}: a vector at {@code (i * GRAINS + g) * LANES}. */
  final float[] squares = new float[CheckBlock.ROWS * ROW];

  /** Sums of row {@code i}: a vector at {@code i * LANES}. */
  final float[] sums = new float[CheckBlock.ROWS * LANES];

  /** Starts a check block. */
  void open() {
    Arrays.fill(sums, 0);
  }

  /** Place of a grain's squares. */
  static int at(int row, int grain) {
    return row * ROW + grain * LANES;
  }

  /**
   * The squares of rows, each grain times its coefficient: a vector of partial sums for each row.
   *
   * @param at place of the first grain's coefficient
   */
  void spread(int rows, float[] coefficients, int at, int depth, float[] result) {
    int grains = Math.ceilDiv(depth, Tolerance.GRAIN);
    for (int row = 0; row < rows; row++) {
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int grain = 0; grain < grains; grain++) {
        sum =
            FloatVector.fromArray(FLOATS, squares, at(row, grain))
                .fma(FloatVector.broadcast(FLOATS, coefficients[at + grain]), sum);
      }
      sum.intoArray(result, row * LANES);
    }
  }

  /**
   * Whether a sum of squares times coefficients is one that float32 holds well enough. It may still
   * lack squares below its range; then the estimate is too low, and the exact tolerance decides.
   */
  static boolean holds(double spread) {
    return spread >= SMALLEST && spread <= LARGEST;
  }

  /** The words of a row, added up where float32 lanes overflowed. */
  static double sum(MemorySegment a, long offset, int depth) {
    double sum = 0;
    for (int k = 0; k < depth; k++) {
      sum += a.get(ValueLayout.JAVA_FLOAT, offset + 4L * k);
    }
    return sum;
  }

  /** The squares of a row, each grain times its coefficient, in double precision. */
  static double spread(double[] coefficients, int at, MemorySegment a, long offset, int depth) {
    a = known(a);
    DoubleVector sum = DoubleVector.zero(DOUBLES);
    int full = HALVES.loopBound(depth);
    for (int k = 0; k < full; k += WIDE_LANES) {
      DoubleVector x = widened(a, offset + 4L * k);
      sum = x.mul(coefficients[at + k / Tolerance.GRAIN]).fma(x, sum);
    }
    double spread = sum.reduceLanes(VectorOperators.ADD);
    for (int k = full; k < depth; k++) {
      double x = a.get(ValueLayout.JAVA_FLOAT, offset + 4L * k);
      spread += x * x * coefficients[at + k / Tolerance.GRAIN];
    }
    return spread;
  }

  private static DoubleVector widened(MemorySegment a, long offset) {
    return (DoubleVector)
        FloatVector.fromMemorySegment(HALVES, a, offset, ORDER)
            .convertShape(VectorOperators.F2D, DOUBLES, 0);
  }
}
