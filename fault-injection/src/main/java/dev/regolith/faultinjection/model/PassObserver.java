package dev.regolith.faultinjection.model;

/**
 * Watches a forward pass. The matrices it is shown stay as they are after the call, and may be
 * kept.
 */
public interface PassObserver {
  /** Watches nothing. */
  PassObserver NONE = new PassObserver() {};

  /** Called once per linear layer, in the order of computation, before the layer computes. */
  default void linear(LayerInput input) {}

  /** Called once per attention, in the order of computation, before it computes. */
  default void attention(AttentionInput input) {}

  /** Called for everything that is computed row by row, in this order, before it is. */
  default void rows(RowsInput input) {}
}
