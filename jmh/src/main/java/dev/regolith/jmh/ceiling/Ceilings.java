package dev.regolith.jmh.ceiling;

/** What the machine can do at most, measured in the same rounds as what is held against it. */
public interface Ceilings extends AutoCloseable {
  /** Multiply-adds from registers on so many threads at once, flop/s. */
  double fmaPeak(int threads, long nanos);

  /** Reading memory on so many threads at once, bytes/s; one pass at least. */
  double readBandwidth(int threads);

  /**
   * Compiles what the others run, so that the first figures are no lower than the last.
   *
   * @param nanos how long the multiply-adds run
   * @param memory whether the bandwidth is going to be asked for
   */
  default void warmUp(int threads, long nanos, boolean memory) {}

  @Override
  default void close() {}
}
