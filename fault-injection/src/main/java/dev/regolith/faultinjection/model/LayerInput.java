package dev.regolith.faultinjection.model;

/**
 * What a linear layer was given in a forward pass: together, the operands of a real matrix product.
 *
 * @param layer the layer with its weights
 * @param activations x, [tokens x layer.in()]
 */
public record LayerInput(LinearLayer layer, Matrix activations) {

  /** Rows of the activations. */
  public int tokens() {
    return activations.rows();
  }
}
