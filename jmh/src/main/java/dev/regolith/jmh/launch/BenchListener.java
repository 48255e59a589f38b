package dev.regolith.jmh.launch;

/** Watches a run. */
public interface BenchListener {
  /** Something begins, in a few words. */
  void begins(String what);

  /** A row of a launch is done, or was left out. */
  void step();
}
