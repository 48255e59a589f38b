package dev.regolith.kernels.guard;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.LongSupplier;

/**
 * How much trouble an accelerator may make: so many incidents within so long, and it is taken out
 * of service. Thread-safe.
 */
public final class Probation {
  /** So many incidents are never too many. */
  public static final int NEVER = Integer.MAX_VALUE;

  private static final Duration LONGEST = Duration.ofDays(36_500);

  private final int incidents;
  private final Duration within;
  private final long nanos;
  private final LongSupplier clock;
  private final Deque<Long> times = new ArrayDeque<>();

  /**
   * A rule.
   *
   * @param incidents at least one; {@link #NEVER}
   * @param within the time in which so many are too many; centuries are taken for one
   */
  public Probation(int incidents, Duration within) {
    this(incidents, within, System::nanoTime);
  }

  Probation(int incidents, Duration within, LongSupplier clock) {
    this.incidents = incidents;
    this.within = within;
    this.nanos = within.compareTo(LONGEST) > 0 ? LONGEST.toNanos() : within.toNanos();
    this.clock = clock;
  }

  /** Notes an incident; whether it was one too many. */
  synchronized boolean fails() {
    if (incidents == NEVER) {
      return false;
    }
    long time = clock.getAsLong();
    times.addLast(time);
    while (time - times.getFirst() > nanos || times.size() > incidents) {
      times.removeFirst();
    }
    return times.size() == incidents;
  }

  /** The rule, in words. */
  @Override
  public String toString() {
    return "%d incidents within %s".formatted(incidents, within);
  }
}
