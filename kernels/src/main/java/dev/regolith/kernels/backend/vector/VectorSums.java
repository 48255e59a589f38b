package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Sums along a vector of floats for checks: in no canonical order. */
final class VectorSums {
  private VectorSums() {}

  /** Inner product in float32 lanes. */
  static double dot(float[] x, int at, MemorySegment y, long offset, int floats) {
    y = known(y);
    FloatVector sum = FloatVector.zero(FLOATS);
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      sum =
          FloatVector.fromArray(FLOATS, x, at + i)
              .fma(FloatVector.fromMemorySegment(FLOATS, y, offset + 4L * i, ORDER), sum);
    }
    double result = sum.reduceLanes(VectorOperators.ADD);
    for (int i = full; i < floats; i++) {
      result += (double) x[at + i] * y.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
    }
    return result;
  }

  /** Sum of squares. */
  static double squares(float[] x, int at, int floats) {
    double sum = 0;
    for (int i = 0; i < floats; i++) {
      sum += (double) x[at + i] * x[at + i];
    }
    return sum;
  }

  /** Sum of squares. */
  static double squares(MemorySegment x, long offset, int floats) {
    double sum = 0;
    for (int i = 0; i < floats; i++) {
      double y = x.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
      sum += y * y;
    }
    return sum;
  }

  /** Whether floats are all finite: zero times anything else is NaN. */
  static boolean isFinite(MemorySegment memory, long offset, int floats) {
    memory = known(memory);
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector sum = zero;
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      sum = FloatVector.fromMemorySegment(FLOATS, memory, offset + 4L * i, ORDER).fma(zero, sum);
    }
    boolean finite = !sum.test(VectorOperators.IS_NAN).anyTrue();
    for (int i = full; i < floats; i++) {
      finite &= Float.isFinite(memory.get(ValueLayout.JAVA_FLOAT, offset + 4L * i));
    }
    return finite;
  }
}
