package dev.regolith.kernels.function;

/**
 * The logarithm of a sum of exponentials, from their largest exponent and the sum relative to it.
 */
public final class LogSumExp {
  private LogSumExp() {}

  /**
   * {@code max + ln(sum)} in double precision, rounded once; minus infinity of no exponentials at
   * all.
   */
  public static float of(float max, float sum) {
    return sum == 0 ? Float.NEGATIVE_INFINITY : (float) (max + StrictMath.log(sum));
  }
}
