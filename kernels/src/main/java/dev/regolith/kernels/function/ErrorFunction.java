package dev.regolith.kernels.function;

/**
 * The error function, float32, as a listed sequence of operations.
 *
 * <pre>{@code
 * a = |x|
 * a <  0.875:  z = a a
 *              p = fma(z, fma(z, fma(z, fma(z, fma(z, S11, S9), S7), S5), S3), S1)
 *              result = sign(x) fma(a, p, a)
 * otherwise:   b = min(a, 4)
 *              q = fma(b, fma(b, fma(b, fma(b, fma(b, fma(b, L6, L5), L4), L3), L2), L1), L0)
 *              result = sign(x) (1 - exp(q))
 * }</pre>
 *
 * <p>NaN stays NaN, zero keeps its sign. The error is below {@link #ULPS} units in the last place,
 * tested for every float.
 *
 * <p>Coefficients by least squares over Chebyshev nodes, rounded to float32 one after the other,
 * the rest fitted anew each time: the first polynomial to {@code erf(x) / x - 1} in x^2, the second
 * to the logarithm of the complement, weighted by the complement.
 */
public final class ErrorFunction {
  /** Bound of the error, in units in the last place of the exact result. */
  public static final double ULPS = 1.2;

  /** Where the first polynomial ends. */
  public static final float SMALL = 0.875f;

  /** From here on the result is 1. */
  public static final float LARGE = 4;

  /** Coefficient of x, less 1. */
  public static final float S1 = 0x1.06eba6p-3f;

  /** Coefficient of x^3. */
  public static final float S3 = -0x1.8127p-2f;

  /** Coefficient of x^5. */
  public static final float S5 = 0x1.ce1fcep-4f;

  /** Coefficient of x^7. */
  public static final float S7 = -0x1.b6e3b8p-6f;

  /** Coefficient of x^9. */
  public static final float S9 = 0x1.4976e2p-8f;

  /** Coefficient of x^11. */
  public static final float S11 = -0x1.43fdacp-11f;

  /** Constant of the logarithm of the complement. */
  public static final float L0 = -0x1.164d26p-13f;

  /** Its coefficient of x. */
  public static final float L1 = -0x1.20c0c6p0f;

  /** Its coefficient of x^2. */
  public static final float L2 = -0x1.4600c2p-1f;

  /** Its coefficient of x^3. */
  public static final float L3 = -0x1.ab631cp-4f;

  /** Its coefficient of x^4. */
  public static final float L4 = 0x1.6f7d26p-6f;

  /** Its coefficient of x^5. */
  public static final float L5 = -0x1.95b6c8p-9f;

  /** Its coefficient of x^6. */
  public static final float L6 = 0x1.a6575cp-13f;

  private ErrorFunction() {}

  /** {@code erf(x)}. */
  public static float of(float x) {
    float a = Math.abs(x);
    if (a < SMALL) {
      float z = a * a;
      float p = Math.fma(z, Math.fma(z, Math.fma(z, Math.fma(z, S11, S9), S7), S5), S3);
      return Math.copySign(Math.fma(a, Math.fma(z, p, S1), a), x);
    }
    float b = a > LARGE ? LARGE : a;
    float q = Math.fma(b, Math.fma(b, Math.fma(b, Math.fma(b, L6, L5), L4), L3), L2);
    q = Math.fma(b, Math.fma(b, q, L1), L0);
    return Math.copySign(1 - Exponential.of(q), x);
  }
}
