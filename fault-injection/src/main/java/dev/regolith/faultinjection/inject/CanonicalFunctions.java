package dev.regolith.faultinjection.inject;

/**
 * Elementary functions as the definitions of operators list their operations: written down a second
 * time on purpose, so that what results are judged by does not come from the library under test.
 */
final class CanonicalFunctions {
  private static final float LEAST = -0x1.5d589ep6f;
  private static final float LARGEST = 0x1.62e42ep6f;
  private static final float ROUNDER = 0x1.8p23f;

  private CanonicalFunctions() {}

  /** {@code e^x}: reduced to {@code |r| <= ln(2) / 2}, a polynomial, a power of two. */
  static float exp(float x) {
    if (x < LEAST) {
      return 0;
    }
    if (Float.isNaN(x) || x > LARGEST) {
      return x + Float.POSITIVE_INFINITY;
    }
    float n = Math.fma(x, 0x1.715476p0f, ROUNDER) - ROUNDER;
    float r = Math.fma(n, -0x1.7f7d1cp-20f, Math.fma(n, -0x1.62e4p-1f, x));
    float p = Math.fma(r, 0x1.685eecp-10f, 0x1.123d3ap-7f);
    p = Math.fma(r, p, 0x1.555b8ep-5f);
    p = Math.fma(r, p, 0x1.55548cp-3f);
    p = Math.fma(r, p, 0x1.fffff8p-2f);
    float y = Math.fma(r, Math.fma(r, p, 1), 1);
    return Math.scalb(y, (int) n);
  }

  /** {@code tanh(x)}: an odd polynomial below 0.625, the exponential beyond. */
  static float tanh(float x) {
    float a = Math.abs(x);
    if (a < 0.625f) {
      float z = a * a;
      float p = Math.fma(z, -0x1.7567ecp-8f, 0x1.52095ep-6f);
      p = Math.fma(z, p, -0x1.b83780p-5f);
      p = Math.fma(z, p, 0x1.1106fep-3f);
      p = Math.fma(z, p, -0x1.555532p-2f);
      return Math.copySign(Math.fma(a * z, p, a), x);
    }
    float e = exp(2 * (a > 10 ? 10 : a));
    return Math.copySign(1 - 2 / (e + 1), x);
  }

  /** The error function: an odd polynomial below 0.875, the exponential of another beyond. */
  static float erf(float x) {
    float a = Math.abs(x);
    if (a < 0.875f) {
      float z = a * a;
      float p = Math.fma(z, -0x1.43fdacp-11f, 0x1.4976e2p-8f);
      p = Math.fma(z, p, -0x1.b6e3b8p-6f);
      p = Math.fma(z, p, 0x1.ce1fcep-4f);
      p = Math.fma(z, p, -0x1.8127p-2f);
      p = Math.fma(z, p, 0x1.06eba6p-3f);
      return Math.copySign(Math.fma(a, p, a), x);
    }
    float b = a > 4 ? 4 : a;
    float q = Math.fma(b, 0x1.a6575cp-13f, -0x1.95b6c8p-9f);
    q = Math.fma(b, q, 0x1.6f7d26p-6f);
    q = Math.fma(b, q, -0x1.ab631cp-4f);
    q = Math.fma(b, q, -0x1.4600c2p-1f);
    q = Math.fma(b, q, -0x1.20c0c6p0f);
    q = Math.fma(b, q, -0x1.164d26p-13f);
    return Math.copySign(1 - exp(q), x);
  }
}
