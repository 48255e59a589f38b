package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.DOUBLES;
import static dev.regolith.kernels.backend.vector.VectorShapes.HALVES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Signs;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Sums over the columns of one row of a check block, in double precision. */
final class RowSums {
  /** Place of the signed sum in a result. */
  static final int SIGNED = 0;

  /** Place of the sum of squares. */
  static final int SQUARES = 1;

  /** Place of the plain sum. */
  static final int PLAIN = 2;

  private static final double[] SIGNS = new double[Signs.PATTERNS * CheckBlock.COLUMNS];

  static {
    for (int j = 0; j < SIGNS.length; j++) {
      SIGNS[j] = Signs.of(j / CheckBlock.COLUMNS, j % CheckBlock.COLUMNS);
    }
  }

  private RowSums() {}

  /**
   * Signed sum, sum of squares and plain sum of up to 128 columns.
   *
   * @param signs place of the first column's sign, in the order of {@link Signs#PATTERNS}
   */
  static void all(MemorySegment memory, long offset, int columns, int signs, double[] result) {
    memory = known(memory);
    DoubleVector signed = DoubleVector.zero(DOUBLES);
    DoubleVector squares = signed;
    DoubleVector plain = signed;
    int full = DOUBLES.loopBound(columns);
    for (int j = 0; j < full; j += WIDE_LANES) {
      DoubleVector x = widen(FloatVector.fromMemorySegment(HALVES, memory, offset + 4L * j, ORDER));
      signed = x.fma(DoubleVector.fromArray(DOUBLES, SIGNS, signs + j), signed);
      squares = x.fma(x, squares);
      plain = plain.add(x);
    }
    if (full < columns) {
      DoubleVector x = tail(memory, offset + 4L * full, columns - full);
      signed = x.fma(DoubleVector.fromArray(DOUBLES, SIGNS, signs + full), signed);
      squares = x.fma(x, squares);
      plain = plain.add(x);
    }
    result[SIGNED] = signed.reduceLanes(VectorOperators.ADD);
    result[SQUARES] = squares.reduceLanes(VectorOperators.ADD);
    result[PLAIN] = plain.reduceLanes(VectorOperators.ADD);
  }

  private static DoubleVector widen(FloatVector half) {
    return (DoubleVector) half.convertShape(VectorOperators.F2D, DOUBLES, 0);
  }

  private static DoubleVector tail(MemorySegment memory, long offset, int count) {
    VectorMask<Float> mask = HALVES.indexInRange(0, count);
    return widen(FloatVector.fromMemorySegment(HALVES, memory, offset, ORDER, mask));
  }
}
