package dev.regolith.kernels.backend.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.PreciseErf;
import dev.regolith.kernels.function.ErrorFunction;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.function.HyperbolicTangent;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The elementary functions: every float against double precision, vectors against plain Java. */
class FunctionsTest {
  private static final int CHUNK = 1 << 20;

  private interface Scalar {
    float of(float x);
  }

  @Test
  @Tag("once")
  void exponentialOfEveryFloatIsWithinItsBound() {
    // Outside of these, results are zero, infinite or NaN, and tested below.
    double worst =
        Math.max(
            worstError(Exponential::of, FunctionsTest::exp, 0, Exponential.LARGEST),
            worstError(Exponential::of, FunctionsTest::exp, -0f, Exponential.SMALLEST));
    System.out.printf("exp: at most %.4f ulp%n", worst);
    assertThat(worst).isLessThan(Exponential.ULPS);
  }

  /**
   * The exponential in double precision: for four of five floats the rest of its series is less
   * than 2^-62, and {@link Math#exp} would only take longer.
   */
  private static double exp(double x) {
    return Math.abs(x) < 0x1p-20 ? 1 + (x + x * x / 2) : Math.exp(x);
  }

  @Test
  @Tag("once")
  void hyperbolicTangentOfEveryFloatIsWithinItsBound() {
    // Below 2^-13 the result is the argument; the function is odd, bit for bit.
    double worst = worstError(HyperbolicTangent::of, Math::tanh, 0x1p-13f, 20);
    System.out.printf("tanh: at most %.4f ulp%n", worst);
    assertThat(worst).isLessThan(HyperbolicTangent.ULPS);
  }

  @Test
  @Tag("once")
  void errorFunctionOfEveryFloatIsWithinItsBound() {
    // Below 2^-13 the polynomial is its first coefficient; the function is odd, bit for bit.
    double worst = worstError(ErrorFunction::of, PreciseErf::of, 0x1p-14f, 5);
    System.out.printf("erf: at most %.4f ulp%n", worst);
    assertThat(worst).isLessThan(ErrorFunction.ULPS);
    double tiny = worstError(ErrorFunction::of, PreciseErf::of, 0x1p-20f, 0x1p-14f);
    assertThat(tiny).isLessThan(ErrorFunction.ULPS);
  }

  /** Over all floats from one to another of the same sign; the bits of both count upwards. */
  private static double worstError(Scalar f, DoubleUnaryOperator exact, float from, float to) {
    int first = Float.floatToRawIntBits(from);
    int chunks = (Float.floatToRawIntBits(to) - first) / CHUNK + 1;
    return IntStream.range(0, chunks)
        .parallel()
        .mapToDouble(chunk -> {
          double worst = 0;
          int end = Math.min(CHUNK, Float.floatToRawIntBits(to) - first - chunk * CHUNK + 1);
          for (int i = 0; i < end; i++) {
            float x = Float.intBitsToFloat(first + chunk * CHUNK + i);
            double y = exact.applyAsDouble(x);
            double error = Math.abs(f.of(x) - y) / Math.ulp((float) y);
            worst = error > worst || Double.isNaN(error) ? error : worst;
          }
          return worst;
        })
        .reduce(0, (x, y) -> x > y || Double.isNaN(x) ? x : y);
  }

  @Test
  void exponentialAtItsEnds() {
    assertThat(Exponential.of(0)).isEqualTo(1);
    assertThat(Exponential.of(-0f)).isEqualTo(1);
    assertThat(Exponential.of(Exponential.SMALLEST)).isGreaterThanOrEqualTo(Float.MIN_NORMAL);
    assertThat(Exponential.of(Math.nextDown(Exponential.SMALLEST))).isZero();
    assertThat(Exponential.of(Exponential.LARGEST)).isFinite();
    assertThat(Exponential.of(Math.nextUp(Exponential.LARGEST))).isInfinite();
    assertThat(Exponential.of(Float.NEGATIVE_INFINITY)).isZero();
    assertThat(Exponential.of(Float.POSITIVE_INFINITY)).isInfinite();
    assertThat(Exponential.of(Float.NaN)).isNaN();
  }

  @Test
  void hyperbolicTangentAtItsEnds() {
    assertThat(Float.floatToRawIntBits(HyperbolicTangent.of(-0f))).isEqualTo(Integer.MIN_VALUE);
    assertThat(HyperbolicTangent.of(Float.POSITIVE_INFINITY)).isEqualTo(1);
    assertThat(HyperbolicTangent.of(Float.NEGATIVE_INFINITY)).isEqualTo(-1);
    assertThat(HyperbolicTangent.of(Float.NaN)).isNaN();
    assertThat(HyperbolicTangent.of(0x1p-20f)).isEqualTo(0x1p-20f);
    assertThat(HyperbolicTangent.of(-0.7f)).isEqualTo(-HyperbolicTangent.of(0.7f));
  }

  @Test
  void errorFunctionAtItsEnds() {
    assertThat(Float.floatToRawIntBits(ErrorFunction.of(-0f))).isEqualTo(Integer.MIN_VALUE);
    assertThat(ErrorFunction.of(Float.POSITIVE_INFINITY)).isEqualTo(1);
    assertThat(ErrorFunction.of(Float.NEGATIVE_INFINITY)).isEqualTo(-1);
    assertThat(ErrorFunction.of(Float.NaN)).isNaN();
    assertThat(ErrorFunction.of(4)).isEqualTo(1);
    assertThat(ErrorFunction.of(-0.7f)).isEqualTo(-ErrorFunction.of(0.7f));
    // Where the argument is subnormal, too.
    assertThat(ErrorFunction.of(Float.MIN_VALUE)).isEqualTo(Float.MIN_VALUE);
  }

  @Test
  void vectorsComputeTheSameBits() {
    compare(Exponential::of, VectorFunctions::exp);
    compare(HyperbolicTangent::of, VectorFunctions::tanh);
    compare(ErrorFunction::of, VectorFunctions::erf);
  }

  private static void compare(Scalar scalar, UnaryOperator<FloatVector> vector) {
    var random = new Random(5);
    float[] special = {
      0,
      -0f,
      1,
      -1,
      Float.NaN,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      0.625f,
      -0.625f,
      Float.MIN_VALUE,
      Float.MAX_VALUE,
      Exponential.SMALLEST,
      Exponential.LARGEST,
      Math.nextDown(Exponential.SMALLEST),
      Math.nextUp(Exponential.LARGEST),
      10,
      Math.nextUp(10f)
    };
    var x = new float[1 << 16];
    for (int i = 0; i < x.length; i++) {
      x[i] =
          i < special.length
              ? special[i]
              : i % 2 == 0
                  ? Float.intBitsToFloat(random.nextInt())
                  : (float) (random.nextGaussian() * 30);
    }
    var y = new float[x.length];
    for (int i = 0; i < x.length; i += VectorShapes.LANES) {
      vector.apply(FloatVector.fromArray(VectorShapes.FLOATS, x, i)).intoArray(y, i);
    }
    for (int i = 0; i < x.length; i++) {
      assertThat(Float.floatToIntBits(y[i]))
          .as("of %s", x[i])
          .isEqualTo(Float.floatToIntBits(scalar.of(x[i])));
    }
  }
}
