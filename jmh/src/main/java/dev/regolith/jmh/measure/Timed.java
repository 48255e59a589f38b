package dev.regolith.jmh.measure;

import dev.regolith.jmh.contender.Computation;
import java.util.function.LongSupplier;

/** A computation that is timed for a slice at a time. */
final class Timed implements Racer {
  /** Shorter calls get an untimed one first, which brings their operands back into the caches. */
  private static final long LEAD_IN_NANOS = 5_000_000;

  private final Computation computation;
  private final long sliceNanos;
  private final LongSupplier clock;
  private double nanosPerCall = Double.NaN;

  Timed(Computation computation, long sliceNanos, LongSupplier clock) {
    this.computation = computation;
    this.sliceNanos = sliceNanos;
    this.clock = clock;
  }

  /** Calls for about a slice, and remembers how long one took. */
  @Override
  public double turn() {
    if (Double.isNaN(nanosPerCall)) {
      nanosPerCall = time(1);
    } else if (nanosPerCall < LEAD_IN_NANOS) {
      computation.run();
    }
    long calls = Math.max(1, Math.round(sliceNanos / Math.max(1, nanosPerCall)));
    nanosPerCall = time(calls) / (double) calls;
    return 1e9 / nanosPerCall;
  }

  private long time(long calls) {
    long start = clock.getAsLong();
    for (long i = 0; i < calls; i++) {
      computation.run();
    }
    return Math.max(1, clock.getAsLong() - start);
  }
}
