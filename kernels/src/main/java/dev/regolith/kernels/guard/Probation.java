package dev.regolith.kernels.guard;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * How much trouble an accelerator may make: so many incidents within so long, and it is taken out
 * of service. Thread-safe.
 */
public final class Probation {
  private final int incidents;
  private final Duration within;
  private final Deque<Long> times = new ArrayDeque<>();

  /**
   * A rule.
   *
   * @param incidents at least one
   * @param within the time in which so many are too many
   */
  public Probation(int incidents, Duration within) {
    this.incidents = incidents;
    this.within = within;
  }

  /**
   * Notes an incident.
   *
   * @param time in nanoseconds, of any origin
   * @return whether it was one too many
   */
  public synchronized boolean fails(long time) {
    times.addLast(time);
    while (time - times.getFirst() > within.toNanos()) {
      times.removeFirst();
    }
    return times.size() >= incidents;
  }

  /** The rule, in words. */
  @Override
  public String toString() {
    return "%d incidents within %d s".formatted(incidents, within.toSeconds());
  }
}
