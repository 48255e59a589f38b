package dev.regolith.jmh.measure;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.LongSupplier;

/**
 * Runs a computation until it is steady: for a while (three turns at least; one, if a call is long)
 * no turn brought speed worth speaking of, and HotSpot finished no compilation. The while has to be
 * longer than a compilation takes: what waits for one is steady too, at a hundredth of its speed.
 */
final class WarmUp {
  private static final int QUIET_TURNS = 3;
  private static final double LONG_CALLS_PER_SECOND = 10;
  private static final double WORTH = 1.02;
  private static final long QUIET_COMPILING_MILLIS = 2;

  private final Pace pace;
  private final LongSupplier clock;
  private final LongSupplier compiledMillis;

  WarmUp(Pace pace, LongSupplier clock, LongSupplier compiledMillis) {
    this.pace = pace;
    this.clock = clock;
    this.compiledMillis = compiledMillis;
  }

  WarmUp(Pace pace) {
    this(pace, System::nanoTime, compilation());
  }

  private static LongSupplier compilation() {
    CompilationMXBean bean = ManagementFactory.getCompilationMXBean();
    return bean != null && bean.isCompilationTimeMonitoringSupported()
        ? bean::getTotalCompilationTime
        : () -> 0;
  }

  /**
   * Runs.
   *
   * @param quietNanos how long nothing must change
   * @return whether it became steady in the time that it may take
   */
  boolean run(Timed computation, long quietNanos) {
    long start = clock.getAsLong();
    long quietSince = start;
    int quiet = 0;
    double best = 0;
    do {
      long compiled = compiledMillis.getAsLong();
      double rate = computation.turn();
      long now = clock.getAsLong();
      boolean calm = compiledMillis.getAsLong() - compiled <= QUIET_COMPILING_MILLIS;
      if (calm && rate < best * WORTH) {
        quiet++;
      } else {
        quiet = 0;
        quietSince = now;
      }
      best = Math.max(best, rate);
      int enough = rate < LONG_CALLS_PER_SECOND ? 1 : QUIET_TURNS;
      if (quiet >= enough && now - quietSince >= quietNanos) {
        return true;
      }
    } while (clock.getAsLong() - start < pace.warmUpNanos());
    return false;
  }
}
