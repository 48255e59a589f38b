package dev.regolith.kernels.guard;

import dev.regolith.kernels.fault.Component;

/** What the guard asks of an operator while it mends. */
public interface Sources {
  /**
   * Copies or packs an operand anew from its source.
   *
   * @return whether there is a source to do that from
   */
  boolean copyAgain(Component operand);

  /** Verifies the sealed inputs once more, after blocks were computed again from them. */
  void verifyInputs();
}
