package dev.regolith.faultinjection.model;

/**
 * A linear layer without bias: {@code y = x W^T}.
 *
 * @param name name in the model's file, without {@code .weight}
 * @param weight W, [out x in]
 */
public record LinearLayer(String name, Matrix weight) {

  /** Length of an input row. */
  public int in() {
    return weight.columns();
  }

  /** Length of an output row. */
  public int out() {
    return weight.rows();
  }
}
