package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.tensor.DType;
import java.util.Arrays;

/**
 * A matrix product with real operands: {@code C = alpha A B^T + beta C}.
 *
 * @param name for the reader of the report
 * @param m rows of A and C
 * @param k columns of A and of B^T's source
 * @param n columns of C
 * @param a the left operand, row-major [m x k]
 * @param weights the right operand as linear layers store it, row-major [n x k]
 * @param alpha factor of the product
 * @param beta factor of the old C
 * @param old the old C, row-major [m x n]; empty if beta is 0
 * @param packed whether the right operand is packed ahead, as weights are, or given as a tensor
 * @param sealed whether the left operand was sealed by whoever made it, or is sealed by the call
 * @param strided whether A and C are transposed views, which the kernels read and write as copies
 * @param direct whether the right operand is given as a tensor with rows along n, which kernels can
 *     multiply where it lies
 * @param type of A, B and C; all values are numbers of it
 */
@SuppressWarnings("ArrayRecordComponent") // a bundle of operands; nobody compares or prints it
record GemmWorkload(
    String name,
    int m,
    int k,
    int n,
    float[] a,
    float[] weights,
    float alpha,
    float beta,
    float[] old,
    boolean packed,
    boolean sealed,
    boolean strided,
    boolean direct,
    DType type)
    implements Workload {

  /** A product with a packed right operand, without factors. */
  static GemmWorkload packed(String name, int m, int k, int n, float[] a, float[] weights) {
    return new GemmWorkload(
        name, m, k, n, a, weights, 1, 0, new float[0], true, true, false, false, DType.FLOAT32);
  }

  /** The same product with both operands as tensors. */
  GemmWorkload fresh(String newName) {
    return new GemmWorkload(
        newName, m, k, n, a, weights, alpha, beta, old, false, sealed, strided, direct, type);
  }

  /** The same product with nothing sealed before the call. */
  GemmWorkload unsealed(String newName) {
    return new GemmWorkload(
        newName, m, k, n, a, weights, alpha, beta, old, packed, false, strided, direct, type);
  }

  /** The same product added to an old C. */
  GemmWorkload onto(String newName, float newAlpha, float newBeta, float[] newOld) {
    return new GemmWorkload(
        newName, m, k, n, a, weights, newAlpha, newBeta, newOld, packed, sealed, strided, direct,
        type);
  }

  /** The same product of another left operand. */
  GemmWorkload of(String newName, float[] newA) {
    return new GemmWorkload(
        newName, m, k, n, newA, weights, alpha, beta, old, packed, sealed, strided, direct, type);
  }

  /** The same product with A and C as transposed views. */
  GemmWorkload strided(String newName) {
    return new GemmWorkload(
        newName, m, k, n, a, weights, alpha, beta, old, packed, sealed, true, direct, type);
  }

  /** The first rows and columns of a product without an old C. */
  GemmWorkload part(String newName, int rows, int columns) {
    return new GemmWorkload(
        newName,
        rows,
        k,
        columns,
        Arrays.copyOf(a, rows * k),
        Arrays.copyOf(weights, columns * k),
        alpha,
        0,
        new float[0],
        packed,
        sealed,
        strided,
        direct,
        type);
  }

  /** The same product with both operands as tensors, the right one with rows along n. */
  GemmWorkload direct(String newName) {
    return new GemmWorkload(
        newName, m, k, n, a, weights, alpha, beta, old, false, sealed, strided, true, type);
  }

  /** The same product of operands of 16 bits, the nearest to these, into such a C. */
  GemmWorkload halves(String newName, DType newType) {
    return new GemmWorkload(
        newName,
        m,
        k,
        n,
        rounded(newType, a),
        rounded(newType, weights),
        alpha,
        beta,
        rounded(newType, old),
        packed,
        sealed,
        strided,
        direct,
        newType);
  }

  /** The nearest numbers of a type. */
  static float[] rounded(DType type, float[] values) {
    var rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = type.widen(type.round(values[i]));
    }
    return rounded;
  }
}
