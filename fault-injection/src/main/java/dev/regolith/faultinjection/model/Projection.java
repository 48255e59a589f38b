package dev.regolith.faultinjection.model;

import java.util.Arrays;

/**
 * Computes a linear layer.
 *
 * <p>Every element is one chain of fused multiply-adds in increasing k that starts at +0, so that
 * products of the library can be compared bit by bit with those of the model. Computed as sums of
 * columns of W, which the JIT vectorises. Dot products of rows give the same bits, but it leaves
 * their chains scalar: measured, 22 to 30 s instead of 1.7 s for 64 windows of 256 bytes.
 */
final class Projection {
  private final LinearLayer layer;

  /** Column k of W. Arrays of their own: the JIT vectorises only where all indices are equal. */
  private final float[][] columns;

  Projection(LinearLayer layer) {
    this.layer = layer;
    this.columns = new float[layer.in()][layer.out()];
    for (int k = 0; k < layer.in(); k++) {
      for (int j = 0; j < layer.out(); j++) {
        columns[k][j] = layer.weight().at(j, k);
      }
    }
  }

  /** {@code x W^T} as a new matrix, [tokens x out]. */
  Matrix apply(Matrix x, PassObserver observer) {
    observer.linear(new LayerInput(layer, x));
    Matrix y = Matrix.zeros(x.rows(), layer.out());
    float[] row = new float[layer.out()];
    for (int i = 0; i < x.rows(); i++) {
      Arrays.fill(row, 0f);
      int k = 0;
      for (; k + 4 <= layer.in(); k += 4) {
        addFour(row, x.at(i, k), x.at(i, k + 1), x.at(i, k + 2), x.at(i, k + 3), k);
      }
      for (; k < layer.in(); k++) {
        add(row, x.at(i, k), columns[k]);
      }
      System.arraycopy(row, 0, y.values(), i * layer.out(), layer.out());
    }
    return y;
  }

  /** Four steps of the chain per pass: the row is loaded and stored a quarter as often. */
  private void addFour(float[] row, float x0, float x1, float x2, float x3, int k) {
    float[] w0 = columns[k];
    float[] w1 = columns[k + 1];
    float[] w2 = columns[k + 2];
    float[] w3 = columns[k + 3];
    for (int j = 0; j < row.length; j++) {
      float sum = Math.fma(x0, w0[j], row[j]);
      sum = Math.fma(x1, w1[j], sum);
      sum = Math.fma(x2, w2[j], sum);
      row[j] = Math.fma(x3, w3[j], sum);
    }
  }

  private static void add(float[] row, float x, float[] column) {
    for (int j = 0; j < row.length; j++) {
      row[j] = Math.fma(x, column[j], row[j]);
    }
  }
}
