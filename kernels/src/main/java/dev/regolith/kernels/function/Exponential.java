package dev.regolith.kernels.function;

/**
 * The exponential, float32, as a listed sequence of operations, so that every backend and vector
 * width gives the same bits.
 *
 * <pre>{@code
 * z = fma(x, LOG2_E, ROUNDER);  n = z - ROUNDER           // n = x log2(e), rounded to an integer
 * r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))              // |r| <= ln(2) / 2
 * p = fma(r, fma(r, fma(r, fma(r, C6, C5), C4), C3), C2)
 * y = fma(r, fma(r, p, 1), 1)
 * result = y 2^n
 * }</pre>
 *
 * <p>Below {@link #SMALLEST} the result is +0: no subnormal numbers are made. Above {@link
 * #LARGEST} it is infinity. NaN stays NaN. The error is below {@link #ULPS} units in the last place
 * where the result is normal, tested for every float. {@code of(0)} is exactly 1.
 *
 * <p>Range reduction after Cody and Waite, coefficients fitted for the least relative error.
 */
public final class Exponential {
  /** Bound of the error, in units in the last place of the exact result. */
  public static final double ULPS = 0.9;

  /** 1 / ln 2. */
  public static final float LOG2_E = 0x1.715476p0f;

  /** Adding it leaves an integer in the lowest bits. */
  public static final float ROUNDER = 0x1.8p23f;

  /** Upper part of ln 2: its product with any exponent is exact. */
  public static final float LN2_HIGH = 0x1.62e4p-1f;

  /** What {@link #LN2_HIGH} lacks. */
  public static final float LN2_LOW = 0x1.7f7d1cp-20f;

  /** Coefficient of r^2. */
  public static final float C2 = 0x1.fffff8p-2f;

  /** Coefficient of r^3. */
  public static final float C3 = 0x1.55548cp-3f;

  /** Coefficient of r^4. */
  public static final float C4 = 0x1.555b8ep-5f;

  /** Coefficient of r^5. */
  public static final float C5 = 0x1.123d3ap-7f;

  /** Coefficient of r^6. */
  public static final float C6 = 0x1.685eecp-10f;

  /** The least argument whose exponential is a normal number. */
  public static final float SMALLEST = -0x1.5d589ep6f;

  /** The largest argument whose exponential is finite. */
  public static final float LARGEST = 0x1.62e42ep6f;

  /** Arguments up to here need no power of two that float32 does not have. */
  public static final float MODERATE = 88;

  /** Bits of a float's fraction. */
  public static final int FRACTION_BITS = 23;

  private Exponential() {}

  /** {@code e^x}. */
  public static float of(float x) {
    if (x < SMALLEST) {
      return 0;
    }
    if (!(x <= LARGEST)) {
      return x + Float.POSITIVE_INFINITY; // NaN stays
    }
    float z = Math.fma(x, LOG2_E, ROUNDER);
    float n = z - ROUNDER;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
    float p = Math.fma(r, Math.fma(r, Math.fma(r, Math.fma(r, C6, C5), C4), C3), C2);
    float y = Math.fma(r, Math.fma(r, p, 1), 1);
    int exponent = (int) n;
    return exponent <= Float.MAX_EXPONENT
        ? y * powerOfTwo(exponent)
        : y * powerOfTwo(exponent - 1) * 2;
  }

  private static float powerOfTwo(int exponent) {
    return Float.intBitsToFloat((exponent + Float.MAX_EXPONENT) << FRACTION_BITS);
  }
}
