package dev.regolith.kernels;

/** The error function in double precision: Taylor series around the nearest of many points. */
public final class PreciseErf {
  private static final int PER_UNIT = 64;
  private static final int TERMS = 10;
  private static final int END = 6;
  private static final double[] COEFFICIENTS = new double[(END * PER_UNIT + 2) * TERMS];

  static {
    for (int i = 0; i * TERMS < COEFFICIENTS.length; i++) {
      double x = (double) i / PER_UNIT;
      // erf^(k+1)(x) = 2 / sqrt(pi) exp(-x^2) (-1)^k H_k(x), with H_(k+1) = 2 x H_k - 2 k H_(k-1).
      double density = 2 / Math.sqrt(Math.PI) * Math.exp(-x * x);
      COEFFICIENTS[i * TERMS] = series(x, density);
      double before = 0;
      double hermite = 1;
      double factor = density;
      for (int k = 0; k + 1 < TERMS; k++) {
        factor /= k + 1;
        COEFFICIENTS[i * TERMS + k + 1] = factor * hermite;
        double next = 2 * x * hermite - 2 * k * before;
        before = hermite;
        hermite = next;
        factor = -factor;
      }
    }
  }

  private PreciseErf() {}

  /** Terms of one sign: {@code density sum(2^n x^(2n+1) / (1 3 .. (2n+1)))}. */
  private static double series(double x, double density) {
    double term = x;
    double sum = x;
    for (int n = 1; n < 400 && term > sum * 1e-18; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return density * sum;
  }

  /** {@code erf(x)}. */
  public static double of(double x) {
    double a = Math.abs(x);
    if (!(a < END)) {
      return Double.isNaN(x) ? x : Math.signum(x);
    }
    int i = (int) (a * PER_UNIT + 0.5);
    double h = a - (double) i / PER_UNIT;
    double sum = 0;
    for (int k = TERMS - 1; k >= 0; k--) {
      sum = sum * h + COEFFICIENTS[i * TERMS + k];
    }
    return Math.copySign(sum, x);
  }
}
