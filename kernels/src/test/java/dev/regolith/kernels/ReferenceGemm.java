package dev.regolith.kernels;

import dev.regolith.kernels.tensor.Tensor;

/** The scalar chain that every product must reproduce, bit for bit. */
final class ReferenceGemm {
  private ReferenceGemm() {}

  /** {@code C = alpha A B + beta C} for one matrix, as row-major array. */
  static float[] multiply(float alpha, Tensor a, Tensor b, float beta, Tensor c) {
    int m = (int) c.size(0);
    int n = (int) c.size(1);
    long depth = alpha == 0 ? 0 : a.size(1);
    var result = new float[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        float acc = 0;
        for (long k = 0; k < depth; k++) {
          acc = Math.fma(a.get(i, k), b.get(k, j), acc);
        }
        result[i * n + j] = beta == 0 ? alpha * acc : Math.fma(alpha, acc, beta * c.get(i, j));
      }
    }
    return result;
  }

  /** Index of the first element whose bits differ (any NaN equals any NaN), or -1. */
  static int firstDifference(float[] expected, float[] actual) {
    for (int i = 0; i < expected.length; i++) {
      if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
        return i;
      }
    }
    return expected.length == actual.length ? -1 : expected.length;
  }
}
