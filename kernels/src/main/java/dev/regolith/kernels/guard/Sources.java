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

  /** Everything that was damaged has been put back: what is read from here on is read anew. */
  void beginReading();

  /** Has an operand in memory that cannot be written read from a copy, with one word put back. */
  void patch(Component operand, long word, int changedBits);

  /** Verifies the sealed inputs once more, after blocks were computed again from them. */
  void verifyInputs();
}
