package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Sums along a vector of floats for checks: in no canonical order. */
final class VectorSums {
  /** More than what up to 512 squares in float32 lanes lose of their sum. */
  private static final double WIDENED = 1 + 0x1p-14;

  /** More than what a square loses that is no normal number. */
  private static final double UNDERFLOW = 0x1p-149;

  private VectorSums() {}

  /**
   * Sum with signs, in float32 lanes.
   *
   * @param signs place of the first one's sign in {@link BlockPass#SIGNS}
   */
  static double signed(MemorySegment x, long offset, int floats, int signs) {
    x = known(x);
    FloatVector sum = FloatVector.zero(FLOATS);
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      sum =
          FloatVector.fromMemorySegment(FLOATS, x, offset + 4L * i, ORDER)
              .fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs + i), sum);
    }
    double result = sum.reduceLanes(VectorOperators.ADD);
    for (int i = full; i < floats; i++) {
      result +=
          BlockPass.SIGNS[signs + i] * (double) x.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
    }
    return result;
  }

  /** Whether floats times a factor differ in any bit from what they should be; NaN equals NaN. */
  static boolean differ(
      MemorySegment x, long offset, float factor, float[] products, int at, int floats) {
    x = known(x);
    IntVector differences = IntVector.zero(INTS);
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      FloatVector product = FloatVector.fromMemorySegment(FLOATS, x, offset + 4L * i, ORDER);
      IntVector bits = product.mul(factor).reinterpretAsInts();
      IntVector others = FloatVector.fromArray(FLOATS, products, at + i).reinterpretAsInts();
      differences = differences.or(bits.lanewise(VectorOperators.XOR, others));
    }
    boolean differ = false;
    int same = differences.reduceLanes(VectorOperators.OR) == 0 ? full : 0;
    for (int i = same; i < floats; i++) {
      float product = x.get(ValueLayout.JAVA_FLOAT, offset + 4L * i) * factor;
      differ |= Float.floatToIntBits(product) != Float.floatToIntBits(products[at + i]);
    }
    return differ;
  }

  /** At least the sum of squares. */
  static double squares(float[] x, int at, int floats) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      FloatVector y = FloatVector.fromArray(FLOATS, x, at + i);
      sum = y.fma(y, sum);
    }
    double result = sum.reduceLanes(VectorOperators.ADD);
    for (int i = full; i < floats; i++) {
      result += (double) x[at + i] * x[at + i];
    }
    return WIDENED * result + UNDERFLOW * floats;
  }

  /** At least the sum of squares. */
  static double squares(MemorySegment x, long offset, int floats) {
    x = known(x);
    FloatVector sum = FloatVector.zero(FLOATS);
    int full = FLOATS.loopBound(floats);
    for (int i = 0; i < full; i += LANES) {
      FloatVector y = FloatVector.fromMemorySegment(FLOATS, x, offset + 4L * i, ORDER);
      sum = y.fma(y, sum);
    }
    double result = sum.reduceLanes(VectorOperators.ADD);
    for (int i = full; i < floats; i++) {
      double y = x.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
      result += y * y;
    }
    return WIDENED * result + UNDERFLOW * floats;
  }

  /** The largest absolute value of full vectors; what is not a number does not count. */
  static double largest(float[] x, int floats) {
    FloatVector largest = FloatVector.zero(FLOATS);
    for (int i = 0; i < floats; i += LANES) {
      FloatVector y = FloatVector.fromArray(FLOATS, x, i).abs();
      largest = largest.blend(y, y.compare(VectorOperators.GT, largest));
    }
    return largest.reduceLanes(VectorOperators.MAX);
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
