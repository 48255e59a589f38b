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

  private static final int GRAIN = Tolerance.GRAIN;

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
    DoubleVector zero = DoubleVector.zero(DOUBLES);
    DoubleVector sum = zero;
    DoubleVector t0 = zero;
    DoubleVector t1 = zero;
    DoubleVector t2 = zero;
    // Two chains for each sum: one alone would wait for its own latency.
    DoubleVector p0 = zero;
    DoubleVector p1 = zero;
    DoubleVector p2 = zero;
    DoubleVector q0 = zero;
    DoubleVector q1 = zero;
    DoubleVector q2 = zero;
    long v1 = record + recordBytes;
    long v2 = v1 + recordBytes;
    int k = 0;
    for (; k <= depth - GRAIN; k += GRAIN) {
      DoubleVector e = zero;
      DoubleVector f = zero;
      for (int i = k; i < k + GRAIN; i += 2 * WIDE_LANES) {
        DoubleVector x = half(a, row + 4L * i);
        DoubleVector y = half(a, row + 4L * (i + WIDE_LANES));
        long at = 8L * i;
        long next = 8L * (i + WIDE_LANES);
        sum = sum.add(x.add(y));
        e = x.fma(x, e);
        f = y.fma(y, f);
        p0 = x.fma(doubles(records, record + at), p0);
        p1 = x.fma(doubles(records, v1 + at), p1);
        p2 = x.fma(doubles(records, v2 + at), p2);
        q0 = y.fma(doubles(records, record + next), q0);
        q1 = y.fma(doubles(records, v1 + next), q1);
        q2 = y.fma(doubles(records, v2 + next), q2);
      }
      e = e.add(f);
      long coefficient = coefficients + k / GRAIN * 8L;
      t0 = e.fma(coefficient(records, record + coefficient), t0);
      t1 = e.fma(coefficient(records, v1 + coefficient), t1);
      t2 = e.fma(coefficient(records, v2 + coefficient), t2);
    }
    result[0] = p0.add(q0).reduceLanes(VectorOperators.ADD);
    result[1] = p1.add(q1).reduceLanes(VectorOperators.ADD);
    result[2] = p2.add(q2).reduceLanes(VectorOperators.ADD);
    result[SPREAD] = t0.reduceLanes(VectorOperators.ADD);
    result[SPREAD + 1] = t1.reduceLanes(VectorOperators.ADD);
    result[SPREAD + 2] = t2.reduceLanes(VectorOperators.ADD);
    result[SUM] = sum.reduceLanes(VectorOperators.ADD);
    if (k < depth) {
      for (int block = 0; block < 3; block++) {
        rest(a, row, k, depth, records, record + block * recordBytes, coefficients, result, block);
      }
    }
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
    DoubleVector zero = DoubleVector.zero(DOUBLES);
    DoubleVector sum = zero;
    DoubleVector t = zero;
    DoubleVector p = zero;
    DoubleVector q = zero;
    int k = 0;
    for (; k <= depth - GRAIN; k += GRAIN) {
      DoubleVector e = zero;
      DoubleVector f = zero;
      for (int i = k; i < k + GRAIN; i += 2 * WIDE_LANES) {
        DoubleVector x = half(a, row + 4L * i);
        DoubleVector y = half(a, row + 4L * (i + WIDE_LANES));
        sum = sum.add(x.add(y));
        e = x.fma(x, e);
        f = y.fma(y, f);
        p = x.fma(doubles(records, record + 8L * i), p);
        q = y.fma(doubles(records, record + 8L * (i + WIDE_LANES)), q);
      }
      t = e.add(f).fma(coefficient(records, record + coefficients + k / GRAIN * 8L), t);
    }
    result[block] = p.add(q).reduceLanes(VectorOperators.ADD);
    result[SPREAD + block] = t.reduceLanes(VectorOperators.ADD);
    if (block == 0) {
      result[SUM] = sum.reduceLanes(VectorOperators.ADD);
    }
    if (k < depth) {
      rest(a, row, k, depth, records, record, coefficients, result, block);
    }
  }

  /** Adds the steps of the last grain, where it is not full. */
  private static void rest(
      MemorySegment a,
      long row,
      int from,
      int depth,
      MemorySegment records,
      long record,
      long coefficients,
      double[] result,
      int block) {
    DoubleVector sum = DoubleVector.zero(DOUBLES);
    DoubleVector e = sum;
    DoubleVector p = sum;
    int k = from;
    for (; k <= depth - WIDE_LANES; k += WIDE_LANES) {
      DoubleVector x = half(a, row + 4L * k);
      sum = sum.add(x);
      e = x.fma(x, e);
      p = x.fma(doubles(records, record + 8L * k), p);
    }
    if (k < depth) {
      VectorMask<Float> mask = HALVES.indexInRange(k, depth);
      DoubleVector x = widen(FloatVector.fromMemorySegment(HALVES, a, row + 4L * k, ORDER, mask));
      sum = sum.add(x);
      e = x.fma(x, e);
      p = x.fma(doubles(records, record + 8L * k), p);
    }
    double weight = records.get(ValueLayout.JAVA_DOUBLE, record + coefficients + from / GRAIN * 8L);
    result[block] += p.reduceLanes(VectorOperators.ADD);
    result[SPREAD + block] += weight * e.reduceLanes(VectorOperators.ADD);
    if (block == 0) {
      result[SUM] += sum.reduceLanes(VectorOperators.ADD);
    }
  }

  private static DoubleVector half(MemorySegment a, long offset) {
    return widen(FloatVector.fromMemorySegment(HALVES, a, offset, ORDER));
  }

  private static DoubleVector doubles(MemorySegment records, long offset) {
    return DoubleVector.fromMemorySegment(DOUBLES, records, offset, ORDER);
  }

  private static DoubleVector widen(FloatVector half) {
    return (DoubleVector) half.convertShape(VectorOperators.F2D, DOUBLES, 0);
  }

  private static DoubleVector coefficient(MemorySegment records, long offset) {
    return DoubleVector.broadcast(DOUBLES, records.get(ValueLayout.JAVA_DOUBLE, offset));
  }
}
