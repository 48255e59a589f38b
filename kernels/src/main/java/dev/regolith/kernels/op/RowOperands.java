package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** The arguments of a row operator, whichever it is. Mutable and reused: calls allocate nothing. */
final class RowOperands {
  RowOperator operator = RowOperator.ADD;

  /** Factor of a softmax, epsilon of a norm. */
  float scalar;

  @Nullable Tensor x;

  /** The residual or factor. */
  @Nullable Tensor y;

  /** Weights, or cosines. */
  @Nullable Tensor weight;

  /** Biases, or sines. */
  @Nullable Tensor bias;

  /** Receives {@code x + y} of a norm. */
  @Nullable Tensor sum;

  @Nullable Tensor out;

  /** Position of the first row of a rotation. */
  long first;

  /** Which dimension of a rotation counts positions: -2, or -3 where heads lie in between. */
  int sequence = -2;

  /** Whether any tensor is of 16-bit floats. */
  boolean hasHalves() {
    return HalfCall.isHalf(x)
        || HalfCall.isHalf(y)
        || HalfCall.isHalf(weight)
        || HalfCall.isHalf(bias)
        || HalfCall.isHalf(sum)
        || HalfCall.isHalf(out);
  }

  void clear() {
    scalar = 0;
    x = null;
    y = null;
    weight = null;
    bias = null;
    sum = null;
    out = null;
    first = 0;
    sequence = -2;
  }
}
