package dev.regolith.jmh.contender;

/** What a row asks for, ready to be computed over and over. */
public interface Computation extends AutoCloseable {
  /** Computes the whole row once: the product, or every product of the batch. */
  void run();

  /** Overwrites the result with NaN, so that a check sees what was really written. */
  void spoil();

  /** The result of the last run, row-major, a copy. */
  float[] result();

  /** Frees what the arena of the preparation does not. */
  @Override
  default void close() {}
}
