package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.tensor.DType;

/**
 * An operator of rows with real operands. All arrays are row-major.
 *
 * @param name for the reader of the report
 * @param operator what is computed
 * @param rows rows of x; or positions, each of so many heads
 * @param heads rows of a position, turned alike; 1 for all but {@link Operator#ROPE_OF_HEADS}
 * @param columns of x and the result
 * @param x the operand, [rows x heads x columns]
 * @param y the other operand of the same shape; empty if there is none
 * @param weight weights, [columns], or cosines, [positions x pairs]; empty if there are none
 * @param bias biases, [columns], or sines, [positions x pairs]; empty if there are none
 * @param scalar epsilon of a norm, scale of a softmax
 * @param sealed whether operands were sealed by whoever made them, or are sealed by the call
 * @param inPlace whether the result lies where x was; the sum of a norm, if there is one
 * @param strided whether x, y and the result are transposed views
 * @param type of all operands and results; all values are numbers of it
 */
@SuppressWarnings("ArrayRecordComponent") // a bundle of operands; nobody compares or prints it
record RowsWorkload(
    String name,
    Operator operator,
    int rows,
    int heads,
    int columns,
    float[] x,
    float[] y,
    float[] weight,
    float[] bias,
    float scalar,
    boolean sealed,
    boolean inPlace,
    boolean strided,
    DType type)
    implements Workload {
  private static final float[] NONE = {};

  /** Position of the first row of a rotation. */
  static final int FIRST = 3;

  /** Operators, with and without a second operand. */
  enum Operator {
    SOFTMAX,
    RMS_NORM,
    RMS_NORM_OF_SUM,
    LAYER_NORM,
    LAYER_NORM_OF_SUM,
    ROPE_INTERLEAVED,
    ROPE_HALVES,
    ROPE_OF_HEADS,
    SILU,
    GELU,
    GELU_TANH,
    ADD;

    /** Whether a sum is a result as well. */
    boolean writesSum() {
      return this == RMS_NORM_OF_SUM || this == LAYER_NORM_OF_SUM;
    }

    boolean isCentred() {
      return this == LAYER_NORM || this == LAYER_NORM_OF_SUM;
    }

    boolean isRope() {
      return this == ROPE_INTERLEAVED || this == ROPE_HALVES || this == ROPE_OF_HEADS;
    }
  }

  /** Operands in float32, sealed, dense, with the result apart. */
  static RowsWorkload of(String name, Operator operator, int columns, float[] x, float[] y) {
    return new RowsWorkload(
        name,
        operator,
        x.length / columns,
        1,
        columns,
        x,
        y,
        NONE,
        NONE,
        1,
        true,
        false,
        false,
        DType.FLOAT32);
  }

  /** The same of one operand. */
  static RowsWorkload of(String name, Operator operator, int columns, float[] x) {
    return of(name, operator, columns, x, NONE);
  }

  /** The same with weights and biases, or tables. */
  RowsWorkload with(float[] newWeight, float[] newBias, float newScalar) {
    return new RowsWorkload(
        name, operator, rows, heads, columns, x, y, newWeight, newBias, newScalar, sealed, inPlace,
        strided, type);
  }

  /** The same with rows of several heads at each position. */
  RowsWorkload ofHeads(int newHeads) {
    return new RowsWorkload(
        name,
        operator,
        rows / newHeads,
        newHeads,
        columns,
        x,
        y,
        weight,
        bias,
        scalar,
        sealed,
        inPlace,
        strided,
        type);
  }

  /** The same with nothing sealed before the call. */
  RowsWorkload unsealed() {
    return new RowsWorkload(
        "unsealed, " + name,
        operator,
        rows,
        heads,
        columns,
        x,
        y,
        weight,
        bias,
        scalar,
        false,
        inPlace,
        strided,
        type);
  }

  /** The same with a result that takes the place of an operand. */
  RowsWorkload placed() {
    return new RowsWorkload(
        "in place, " + name,
        operator,
        rows,
        heads,
        columns,
        x,
        y,
        weight,
        bias,
        scalar,
        sealed,
        true,
        strided,
        type);
  }

  /** The same with transposed views. */
  RowsWorkload turned() {
    return new RowsWorkload(
        "strided, " + name,
        operator,
        rows,
        heads,
        columns,
        x,
        y,
        weight,
        bias,
        scalar,
        sealed,
        inPlace,
        true,
        type);
  }

  /** The same of other rows. */
  RowsWorkload of(String newName, float[] newX) {
    return new RowsWorkload(
        newName,
        operator,
        newX.length / columns / heads,
        heads,
        columns,
        newX,
        y,
        weight,
        bias,
        scalar,
        sealed,
        inPlace,
        strided,
        type);
  }

  /** The same of operands of 16 bits, the nearest to these, with such results. */
  RowsWorkload halves(DType newType) {
    return new RowsWorkload(
        newType.name().toLowerCase(java.util.Locale.ROOT) + ", " + name,
        operator,
        rows,
        heads,
        columns,
        GemmWorkload.rounded(newType, x),
        GemmWorkload.rounded(newType, y),
        GemmWorkload.rounded(newType, weight),
        GemmWorkload.rounded(newType, bias),
        scalar,
        sealed,
        inPlace,
        strided,
        newType);
  }

  /** Whether operands are read where they lie. */
  boolean isPlain() {
    return !strided && !type.isHalf();
  }

  /** Columns of tables. */
  int pairs() {
    return weight.length / (FIRST + rows);
  }
}
