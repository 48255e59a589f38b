package dev.regolith.faultinjection.inject;

/**
 * What a product must be: the bits of the scalar chain, and the envelope of any correct product.
 *
 * <p>Envelope (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1): {@code |c -
 * exact| <= gamma_K (|A||B|)_ij} with {@code gamma_K = K u / (1 - K u)}, plus one rounding for each
 * of the operations that alpha and beta add, plus half the smallest subnormal number per operation;
 * and, where C has 16 bits, one rounding to it.
 */
final class GemmTruth {
  private static final double U = 0x1p-24;
  private static final double HALF_SUBNORMAL = 0x1p-150;

  private final float[] bits;
  private final double[] exact;
  private final double[] envelope;

  private GemmTruth(GemmWorkload w) {
    int size = w.m() * w.n();
    bits = new float[size];
    exact = new double[size];
    envelope = new double[size];
    double gamma = w.k() * U / (1 - w.k() * U);
    for (int i = 0; i < w.m(); i++) {
      for (int j = 0; j < w.n(); j++) {
        element(w, i, j, gamma);
      }
    }
  }

  /** The truth about a product. */
  static Truth of(GemmWorkload w) {
    var truth = new GemmTruth(w);
    return new Truth(truth.bits, truth.exact, truth.envelope);
  }

  private void element(GemmWorkload w, int i, int j, double gamma) {
    float chain = 0;
    double sum = 0;
    double absolute = 0;
    for (int k = 0; k < w.k(); k++) {
      float x = w.a()[i * w.k() + k];
      float y = w.weights()[j * w.k() + k];
      chain = Math.fma(x, y, chain);
      sum += (double) x * y;
      absolute += Math.abs((double) x * y);
    }
    int at = i * w.n() + j;
    double old = w.beta() == 0 ? 0 : w.old()[at];
    bits[at] =
        w.beta() == 0 ? w.alpha() * chain : Math.fma(w.alpha(), chain, w.beta() * w.old()[at]);
    exact[at] = w.alpha() * sum + w.beta() * old;
    double bound = Math.abs(w.alpha()) * gamma * absolute;
    if (w.alpha() != 1 || w.beta() != 0) {
      double magnitude = Math.abs(w.alpha()) * absolute * (1 + gamma) + Math.abs(w.beta() * old);
      bound += 3 * U * magnitude;
    }
    envelope[at] = bound + 0x1p-50 * absolute + HALF_SUBNORMAL * (w.k() + 3);
    if (w.type().isHalf()) {
      bits[at] = w.type().widen(w.type().round(bits[at]));
      envelope[at] += Rounding.of(w.type(), Math.abs(exact[at]) + envelope[at]);
    }
  }
}
