package dev.regolith.jmh.launch;

import java.util.function.Consumer;

/** Where measurements take place: fresh JVMs, or a pretence of them in tests. */
public interface Laboratory {
  /**
   * Measures rows.
   *
   * @param plan what
   * @param openBlasCore core type of OpenBLAS; empty leaves it to OpenBLAS
   * @param events is told what happens
   * @throws LaunchException if it ended before its time; events came until then
   */
  void rows(LaunchPlan plan, String openBlasCore, Consumer<LaunchEvent> events)
      throws LaunchException;

  /** How fast OpenBLAS is with a core type. */
  LaunchEvent.Speed openBlasSpeed(String core) throws LaunchException;

  /** The first seconds of a JVM. */
  ColdStart coldStart(int size, int threads, double seconds) throws LaunchException;

  /** Ends what is under way, soon; callable from any thread. */
  void stop();
}
