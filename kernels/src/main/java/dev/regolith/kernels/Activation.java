package dev.regolith.kernels;

import dev.regolith.kernels.backend.RowOperator;

/** Functions between the layers of a feed-forward network. */
public enum Activation {
  /** {@code x / (1 + exp(-x))}, also called swish. */
  SILU(RowOperator.SILU),
  /** {@code x} times the normal distribution function, by the error function. */
  GELU(RowOperator.GELU),
  /** {@link #GELU} approximated with a hyperbolic tangent. */
  GELU_TANH(RowOperator.GELU_TANH);

  private final RowOperator operator;

  Activation(RowOperator operator) {
    this.operator = operator;
  }

  RowOperator operator() {
    return operator;
  }
}
