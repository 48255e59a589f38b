package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;

import dev.regolith.kernels.function.ErrorFunction;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.function.HyperbolicTangent;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The functions of {@code dev.regolith.kernels.function}, a vector at a time: the same operations
 * in the same order, hence the same bits. Small enough that the JIT inlines them into their
 * callers' loops.
 */
final class VectorFunctions {
  private static final int FRACTION_BITS = Exponential.FRACTION_BITS;
  private static final int ONE = Float.floatToRawIntBits(1);

  private VectorFunctions() {}

  /** {@link Exponential} of numbers up to {@link Exponential#MODERATE}, and NaN. */
  static FloatVector expOfModerate(FloatVector x) {
    return scaledExp(x, ONE).blend(0, x.compare(VectorOperators.LT, Exponential.SMALLEST));
  }

  /**
   * Exponentials times a power of two, of numbers whose result is normal then.
   *
   * @param unit the power of two, as the bits of a float
   */
  static FloatVector scaledExp(FloatVector x, int unit) {
    FloatVector rounder = FloatVector.broadcast(FLOATS, Exponential.ROUNDER);
    FloatVector z = x.fma(FloatVector.broadcast(FLOATS, Exponential.LOG2_E), rounder);
    FloatVector n = z.sub(rounder);
    FloatVector r = n.fma(FloatVector.broadcast(FLOATS, -Exponential.LN2_HIGH), x);
    r = n.fma(FloatVector.broadcast(FLOATS, -Exponential.LN2_LOW), r);
    FloatVector one = FloatVector.broadcast(FLOATS, 1);
    FloatVector p = FloatVector.broadcast(FLOATS, Exponential.C6);
    p = r.fma(p, FloatVector.broadcast(FLOATS, Exponential.C5));
    p = r.fma(p, FloatVector.broadcast(FLOATS, Exponential.C4));
    p = r.fma(p, FloatVector.broadcast(FLOATS, Exponential.C3));
    p = r.fma(p, FloatVector.broadcast(FLOATS, Exponential.C2));
    p = r.fma(r.fma(p, one), one);
    IntVector power = z.reinterpretAsInts().lanewise(VectorOperators.LSHL, FRACTION_BITS).add(unit);
    // Multiplying, not adding exponents, keeps NaN with any payload what it is.
    return p.mul(power.reinterpretAsFloats());
  }

  /** {@link Exponential} of any number. */
  static FloatVector exp(FloatVector x) {
    VectorMask<Float> above = x.compare(VectorOperators.GT, Exponential.MODERATE);
    if (!above.anyTrue()) {
      return expOfModerate(x);
    }
    FloatVector result = expOfModerate(x);
    for (int lane = 0; lane < VectorShapes.LANES; lane++) {
      // Powers of two that float32 does not have, or infinity: too rare for code of their own.
      if (above.laneIsSet(lane)) {
        result = result.withLane(lane, Exponential.of(x.lane(lane)));
      }
    }
    return result;
  }

  /** {@link HyperbolicTangent}. */
  static FloatVector tanh(FloatVector x) {
    FloatVector a = x.abs();
    FloatVector z = a.mul(a);
    FloatVector p =
        z.fma(
            FloatVector.broadcast(FLOATS, HyperbolicTangent.C11),
            FloatVector.broadcast(FLOATS, HyperbolicTangent.C9));
    p = z.fma(p, FloatVector.broadcast(FLOATS, HyperbolicTangent.C7));
    p = z.fma(p, FloatVector.broadcast(FLOATS, HyperbolicTangent.C5));
    p = z.fma(p, FloatVector.broadcast(FLOATS, HyperbolicTangent.C3));
    FloatVector small = a.mul(z).fma(p, a);
    FloatVector clamped =
        a.blend(HyperbolicTangent.LARGE, a.compare(VectorOperators.GT, HyperbolicTangent.LARGE));
    FloatVector one = FloatVector.broadcast(FLOATS, 1);
    FloatVector e = expOfModerate(clamped.mul(2));
    return one.sub(FloatVector.broadcast(FLOATS, 2).div(e.add(1)))
        .blend(small, a.compare(VectorOperators.LT, HyperbolicTangent.SMALL))
        .reinterpretAsInts()
        .or(x.reinterpretAsInts().and(Integer.MIN_VALUE))
        .reinterpretAsFloats();
  }

  /** {@link ErrorFunction}. */
  static FloatVector erf(FloatVector x) {
    FloatVector a = x.abs();
    FloatVector z = a.mul(a);
    FloatVector p = FloatVector.broadcast(FLOATS, ErrorFunction.S11);
    p = p.fma(z, FloatVector.broadcast(FLOATS, ErrorFunction.S9));
    p = p.fma(z, FloatVector.broadcast(FLOATS, ErrorFunction.S7));
    p = p.fma(z, FloatVector.broadcast(FLOATS, ErrorFunction.S5));
    p = p.fma(z, FloatVector.broadcast(FLOATS, ErrorFunction.S3));
    p = p.fma(z, FloatVector.broadcast(FLOATS, ErrorFunction.S1));
    FloatVector small = a.fma(p, a);
    FloatVector b =
        a.blend(ErrorFunction.LARGE, a.compare(VectorOperators.GT, ErrorFunction.LARGE));
    FloatVector q = FloatVector.broadcast(FLOATS, ErrorFunction.L6);
    q = q.fma(b, FloatVector.broadcast(FLOATS, ErrorFunction.L5));
    q = q.fma(b, FloatVector.broadcast(FLOATS, ErrorFunction.L4));
    q = q.fma(b, FloatVector.broadcast(FLOATS, ErrorFunction.L3));
    q = q.fma(b, FloatVector.broadcast(FLOATS, ErrorFunction.L2));
    q = q.fma(b, FloatVector.broadcast(FLOATS, ErrorFunction.L1));
    q = q.fma(b, FloatVector.broadcast(FLOATS, ErrorFunction.L0));
    return FloatVector.broadcast(FLOATS, 1)
        .sub(expOfModerate(q))
        .blend(small, a.compare(VectorOperators.LT, ErrorFunction.SMALL))
        .reinterpretAsInts()
        .or(x.reinterpretAsInts().and(Integer.MIN_VALUE))
        .reinterpretAsFloats();
  }
}
