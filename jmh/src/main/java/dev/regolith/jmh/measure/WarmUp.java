package dev.regolith.jmh.measure;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.LongSupplier;

/**
 * Runs a computation until it is steady: three slices in a row (one, if a call is long) brought no
 * speed worth speaking of, and HotSpot compiled next to nothing meanwhile. The second condition is
 * there because a method that waits for its compilation is steady too, at a hundredth of its speed.
 */
final class WarmUp {
  private static final int QUIET_SLICES = 3;
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

  /** Whether it became steady in the time that it may take. */
  boolean run(Timed computation) {
    long start = clock.getAsLong();
    long slice = pace.sliceNanos();
    double best = 0;
    int quiet = 0;
    do {
      long compiled = compiledMillis.getAsLong();
      double rate = computation.turn(slice);
      boolean calm = compiledMillis.getAsLong() - compiled <= QUIET_COMPILING_MILLIS;
      quiet = calm && rate < best * WORTH ? quiet + 1 : 0;
      best = Math.max(best, rate);
      if (quiet >= (rate < LONG_CALLS_PER_SECOND ? 1 : QUIET_SLICES)) {
        return true;
      }
    } while (clock.getAsLong() - start < pace.warmUpNanos());
    return false;
  }
}
