package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * What {@link ColumnChecks} adds up of a region's matrices, column by column, in float32: lines of
 * sums, one for every step along k, or for every column of the region. Derivations:
 * docs/numerics.md, "Small products: columns are checked".
 */
final class ColumnSums {
  /** Lines of a matrix that is surveyed, and of what is predicted. */
  static final int THREE = 3;

  /** Of A, by step: its column with the signs of the rows; as it is; its squares. */
  static final int SIGNED = 0;

  /** In place of these squares: what the square of a word of B counts for in a tolerance. */
  static final int WEIGHT = 2;

  /** Of B, by column: times A's signed sums; times A's sums; its squares, weighted. */
  static final int PREDICTED = 3;

  private static final int TOTAL = 4;

  /** The last of these. */
  static final int SQUARES = 5;

  /** Of C, by column: with the signs of the rows. */
  static final int SHOWN = 6;

  /** Of the old C, by column: with the signs of the rows; as it is; its squares. */
  static final int OLD = 7;

  private static final int OLD_SQUARES = 9;
  private static final int LINES = 10;

  /** Sums of a line, and some more, so that lines do not share sets of L1. */
  private static final int LINE =
      Math.max(Region.MAX_BLOCKS * CheckBlock.COLUMNS, PackedB.DEPTH) + 16;

  /** From a line to the next. */
  static final int BYTES = LINE * Float.BYTES;

  /** Square of a tolerance, over that of its standard deviation. */
  private static final double VARIANCE =
      Tolerance.SIGMAS * Tolerance.SIGMAS * Tolerance.ROUNDING_VARIANCE;

  /** The lines. */
  final MemorySegment memory = Arena.ofAuto().allocate((long) LINES * BYTES, 64);

  private float alpha;
  private float beta;
  private int depth;
  private int rows;
  private boolean repeats;

  /** Place of a sum. */
  static int at(int line, int column) {
    return line * LINE + column;
  }

  /** Starts a region. */
  void open(GemmProblem p, Region region) {
    alpha = p.alpha;
    beta = p.beta;
    depth = Math.toIntExact(p.depth);
    rows = region.rows;
    repeats = rows == 1 && alpha == 1 && beta == 0;
  }

  /**
   * Whether the region is a single row, and no factor rounds it once more: then it predicts itself,
   * bit for bit, and there are no tolerances.
   */
  boolean repeats() {
    return repeats;
  }

  /** Starts some lines at zero, from a place to a later one. */
  void clear(int line, int lines, int from, int end) {
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int i = line; i < line + lines; i++) {
      for (int j = from; j < end; j += LANES) {
        zero.intoMemorySegment(memory, 4L * at(i, j), ORDER);
      }
    }
  }

  /** Makes weights of some steps, from one on, when A's columns are added up. */
  void weigh(int from, int steps) {
    FloatVector left = FloatVector.zero(FLOATS).addIndex(-1).add(depth - from);
    for (int k = 0; k < steps; k += LANES) {
      FloatVector signed = FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(SIGNED, k), ORDER);
      FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(WEIGHT, k), ORDER)
          .fma(left.add(rows + 1), signed.mul(signed).mul(left))
          .intoMemorySegment(memory, 4L * at(WEIGHT, k), ORDER);
      left = left.sub(LANES);
    }
  }

  /**
   * The first of some vectors of columns in which a residual is not certainly within its tolerance,
   * or the end.
   */
  int exceeding(int from, int end) {
    boolean blends = beta != 0;
    FloatVector mean = FloatVector.broadcast(FLOATS, (float) meanWeight());
    float variance = (float) (VARIANCE * roundings() * alpha * alpha);
    float ofOld = (float) (VARIANCE * oldWeight() * beta * beta);
    for (int j = from; j < end; j += LANES) {
      FloatVector predicted =
          FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(PREDICTED, j), ORDER).mul(alpha);
      FloatVector total = FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(TOTAL, j), ORDER);
      FloatVector bound =
          total
              .mul(total)
              .fma(mean, FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(SQUARES, j), ORDER))
              .mul(variance);
      if (blends) {
        predicted =
            FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(OLD, j), ORDER)
                .mul(beta)
                .add(predicted);
        bound =
            FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(OLD_SQUARES, j), ORDER)
                .mul(ofOld)
                .add(bound);
      }
      FloatVector residual =
          FloatVector.fromMemorySegment(FLOATS, memory, 4L * at(SHOWN, j), ORDER).sub(predicted);
      // A bound that overflowed, or that is as small as squares that underflow, says nothing.
      VectorMask<Float> finite = bound.compare(VectorOperators.LT, Float.POSITIVE_INFINITY);
      VectorMask<Float> within =
          residual
              .mul(residual)
              .compare(VectorOperators.LE, bound)
              .and(bound.compare(VectorOperators.GE, Float.MIN_NORMAL))
              .or(residual.compare(VectorOperators.EQ, 0));
      if (!within.and(finite).allTrue()) {
        return j;
      }
    }
    return end;
  }

  private double residual(int column) {
    double predicted = alpha * (double) get(PREDICTED, column);
    predicted = beta == 0 ? predicted : predicted + beta * (double) get(OLD, column);
    return get(SHOWN, column) - predicted;
  }

  /** Whether inputs predict something of a column. */
  boolean predicts(int column) {
    return Float.isFinite(get(PREDICTED, column))
        && (beta == 0 || Float.isFinite(get(OLD, column)));
  }

  /** Whether a residual is within its tolerance. Written so that a NaN anywhere is not. */
  boolean agrees(int column) {
    double tolerance = tolerance(column);
    return Math.abs(residual(column)) <= tolerance && tolerance < Double.POSITIVE_INFINITY;
  }

  private double tolerance(int column) {
    if (repeats) {
      return 0;
    }
    double total = get(TOTAL, column);
    double squares = get(SQUARES, column) + total * total * meanWeight();
    double old = beta == 0 ? 0 : get(OLD_SQUARES, column);
    return Tolerance.of(alpha, beta, depth, rows, squares, old, oldWeight());
  }

  private int roundings() {
    return alpha == 1 && beta == 0 ? 1 : 3;
  }

  /** Its own roundings, and its share of what shows it. */
  private int oldWeight() {
    return 3 + rows + 1;
  }

  /** Of the squares of partial sums, what a column's total squared makes. */
  private double meanWeight() {
    return Tolerance.meanPath(0, 1, depth, rows) + 1.0 / rows;
  }

  /** A sum. */
  float get(int line, int column) {
    return memory.get(ValueLayout.JAVA_FLOAT, 4L * at(line, column));
  }
}
