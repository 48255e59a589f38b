package dev.regolith.faultinjection.doctor;

/** Times a computation that is repeated. */
final class Speed {
  private Speed() {}

  /**
   * The speed of the fastest of several runs, at least one.
   *
   * @param operations in a run
   * @return GFLOP/s
   */
  static double fastest(double operations, double seconds, Runnable computation) {
    long deadline = System.nanoTime() + (long) (seconds * 1e9);
    double best = 0;
    do {
      long start = System.nanoTime();
      computation.run();
      best = Math.max(best, operations / (System.nanoTime() - start));
    } while (System.nanoTime() < deadline);
    return best;
  }
}
