package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.DOUBLES;
import static dev.regolith.kernels.backend.vector.VectorShapes.HALVES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * What a row of A predicts: its dot products with check vectors, the spread of the partial sums,
 * and its own sum. Double precision, from the source of A.
 */
final class Prediction {
  /** Places in a result: product and spread of up to three check blocks, then the row's sum. */
  static final int SPREAD = 3;

  /** The row's sum. */
  static final int SUM = 6;

  /** Length of a result. */
  static final int LENGTH = 7;

  private Prediction() {}

  /** One row against the records of three neighbouring check blocks. */
  static void three(
      MemorySegment a,
      long row,
      int depth,
      MemorySegment records,
      long record,
      long recordBytes,
      long coefficients,
      double[] result) {
    DoubleVector sum = DoubleVector.zero(DOUBLES);
    DoubleVector p0 = sum;
    DoubleVector p1 = sum;
    DoubleVector p2 = sum;
    DoubleVector t0 = sum;
    DoubleVector t1 = sum;
    DoubleVector t2 = sum;
    long v1 = record + recordBytes;
    long v2 = v1 + recordBytes;
    for (int k = 0; k < depth; ) {
      int end = Math.min(depth, k + Tolerance.GRAIN);
      long coefficient = coefficients + k / Tolerance.GRAIN * 8L;
      DoubleVector energy = DoubleVector.zero(DOUBLES);
      for (; k <= end - WIDE_LANES; k += WIDE_LANES) {
        DoubleVector x = widen(FloatVector.fromMemorySegment(HALVES, a, row + 4L * k, ORDER));
        sum = sum.add(x);
        energy = x.fma(x, energy);
        p0 = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, record + 8L * k, ORDER), p0);
        p1 = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, v1 + 8L * k, ORDER), p1);
        p2 = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, v2 + 8L * k, ORDER), p2);
      }
      if (k < end) {
        DoubleVector x = tail(a, row + 4L * k, end - k);
        sum = sum.add(x);
        energy = x.fma(x, energy);
        p0 = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, record + 8L * k, ORDER), p0);
        p1 = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, v1 + 8L * k, ORDER), p1);
        p2 = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, v2 + 8L * k, ORDER), p2);
        k = end;
      }
      t0 = energy.fma(coefficient(records, record + coefficient), t0);
      t1 = energy.fma(coefficient(records, v1 + coefficient), t1);
      t2 = energy.fma(coefficient(records, v2 + coefficient), t2);
    }
    result[0] = p0.reduceLanes(VectorOperators.ADD);
    result[1] = p1.reduceLanes(VectorOperators.ADD);
    result[2] = p2.reduceLanes(VectorOperators.ADD);
    result[SPREAD] = t0.reduceLanes(VectorOperators.ADD);
    result[SPREAD + 1] = t1.reduceLanes(VectorOperators.ADD);
    result[SPREAD + 2] = t2.reduceLanes(VectorOperators.ADD);
    result[SUM] = sum.reduceLanes(VectorOperators.ADD);
  }

  /** One row against one record; product and spread go to place {@code block}. */
  static void one(
      MemorySegment a,
      long row,
      int depth,
      MemorySegment records,
      long record,
      long coefficients,
      double[] result,
      int block) {
    DoubleVector sum = DoubleVector.zero(DOUBLES);
    DoubleVector p = sum;
    DoubleVector t = sum;
    for (int k = 0; k < depth; ) {
      int end = Math.min(depth, k + Tolerance.GRAIN);
      long coefficient = coefficients + k / Tolerance.GRAIN * 8L;
      DoubleVector energy = DoubleVector.zero(DOUBLES);
      for (; k <= end - WIDE_LANES; k += WIDE_LANES) {
        DoubleVector x = widen(FloatVector.fromMemorySegment(HALVES, a, row + 4L * k, ORDER));
        sum = sum.add(x);
        energy = x.fma(x, energy);
        p = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, record + 8L * k, ORDER), p);
      }
      if (k < end) {
        DoubleVector x = tail(a, row + 4L * k, end - k);
        sum = sum.add(x);
        energy = x.fma(x, energy);
        p = x.fma(DoubleVector.fromMemorySegment(DOUBLES, records, record + 8L * k, ORDER), p);
        k = end;
      }
      t = energy.fma(coefficient(records, record + coefficient), t);
    }
    result[block] = p.reduceLanes(VectorOperators.ADD);
    result[SPREAD + block] = t.reduceLanes(VectorOperators.ADD);
    result[SUM] = sum.reduceLanes(VectorOperators.ADD);
  }

  private static DoubleVector widen(FloatVector half) {
    return (DoubleVector) half.convertShape(VectorOperators.F2D, DOUBLES, 0);
  }

  private static DoubleVector tail(MemorySegment a, long offset, int count) {
    VectorMask<Float> mask = HALVES.indexInRange(0, count);
    return widen(FloatVector.fromMemorySegment(HALVES, a, offset, ORDER, mask));
  }

  private static DoubleVector coefficient(MemorySegment records, long offset) {
    return DoubleVector.broadcast(DOUBLES, records.get(ValueLayout.JAVA_DOUBLE, offset));
  }
}
