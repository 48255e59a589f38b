package dev.regolith.kernels.function;

/**
 * The hyperbolic tangent, float32, as a listed sequence of operations.
 *
 * <pre>{@code
 * a = |x|
 * a <  0.625:  z = a a;  p = fma(z, fma(z, fma(z, fma(z, C11, C9), C7), C5), C3)
 *              result = sign(x) fma(a z, p, a)
 * otherwise:   result = sign(x) (1 - 2 / (exp(2 min(a, 10)) + 1))
 * }</pre>
 *
 * <p>NaN stays NaN, zero keeps its sign. The error is below {@link #ULPS} units in the last place,
 * tested for every float.
 */
public final class HyperbolicTangent {
  /** Bound of the error, in units in the last place of the exact result. */
  public static final double ULPS = 1.4;

  /** Where the polynomial ends. */
  public static final float SMALL = 0.625f;

  /** From here on the result is 1. */
  public static final float LARGE = 10;

  /** Coefficient of x^3. */
  public static final float C3 = -0x1.555532p-2f;

  /** Coefficient of x^5. */
  public static final float C5 = 0x1.1106fep-3f;

  /** Coefficient of x^7. */
  public static final float C7 = -0x1.b83780p-5f;

  /** Coefficient of x^9. */
  public static final float C9 = 0x1.52095ep-6f;

  /** Coefficient of x^11. */
  public static final float C11 = -0x1.7567ecp-8f;

  private HyperbolicTangent() {}

  /** {@code tanh(x)}. */
  public static float of(float x) {
    float a = Math.abs(x);
    if (a < SMALL) {
      float z = a * a;
      float p = Math.fma(z, Math.fma(z, Math.fma(z, Math.fma(z, C11, C9), C7), C5), C3);
      return Math.copySign(Math.fma(a * z, p, a), x);
    }
    float e = Exponential.of(2 * (a > LARGE ? LARGE : a));
    return Math.copySign(1 - 2 / (e + 1), x);
  }
}
