package dev.regolith.kernels.backend;

/** One call of a row operator, as a backend sees it. Reused from call to call. */
public final class RowProblem {
  /** What is computed. */
  public RowOperator operator = RowOperator.ADD;

  /** Elements of a row. */
  public int columns;

  /** Factor of a softmax's input, or what a norm adds to the mean square. */
  public float scalar;

  /** Pairs that are rotated; what follows them is copied. */
  public int pairs;

  /** The first input. */
  public final RowView x = new RowView();

  /** The residual of a sum, or the factor of an activation. */
  public final RowView y = new RowView();

  /** Weights of a norm, or cosines. */
  public final RowView weight = new RowView();

  /** Biases of a norm, or sines. */
  public final RowView bias = new RowView();
}
