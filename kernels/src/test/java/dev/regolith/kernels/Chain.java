package dev.regolith.kernels;

import dev.regolith.kernels.tensor.Tensor;

/** {@link ReferenceGemm} for large shapes: the same chains, in an order the JIT can vectorise. */
final class Chain {
  private Chain() {}

  /** {@code C = alpha A B + beta C} for row-major arrays, {@code c} of m x n. */
  static float[] multiply(
      float alpha, float[] a, float[] b, float beta, float[] c, int m, int n, int k) {
    var result = new float[m * n];
    var row = new float[n];
    int depth = alpha == 0 ? 0 : k;
    for (int i = 0; i < m; i++) {
      java.util.Arrays.fill(row, 0);
      for (int p = 0; p < depth; p++) {
        step(row, a[i * k + p], b, p * n);
      }
      for (int j = 0; j < n; j++) {
        result[i * n + j] =
            beta == 0 ? alpha * row[j] : Math.fma(alpha, row[j], beta * c[i * n + j]);
      }
    }
    return result;
  }

  /** The same for matrices. */
  static float[] multiply(float alpha, Tensor a, Tensor b, float beta, Tensor c) {
    return multiply(
        alpha,
        a.toArray(),
        b.toArray(),
        beta,
        c.toArray(),
        (int) c.size(0),
        (int) c.size(1),
        (int) a.size(1));
  }

  /** {@code C = A B}. */
  static float[] multiply(Tensor a, Tensor b) {
    int m = (int) a.size(0);
    int n = (int) b.size(1);
    return multiply(1, a.toArray(), b.toArray(), 0, new float[m * n], m, n, (int) a.size(1));
  }

  private static void step(float[] row, float x, float[] b, int from) {
    for (int j = 0; j < row.length; j++) {
      row[j] = Math.fma(x, b[from + j], row[j]);
    }
  }
}
