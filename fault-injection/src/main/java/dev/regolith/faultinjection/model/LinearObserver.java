package dev.regolith.faultinjection.model;

/** Watches the linear layers of a forward pass. */
@FunctionalInterface
public interface LinearObserver {
  /** Watches nothing. */
  LinearObserver NONE = input -> {};

  /**
   * Called once per linear layer, in the order of computation, before the layer computes. The
   * matrices stay as they are after the call, and may be kept.
   */
  void observe(LayerInput input);
}
