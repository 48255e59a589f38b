package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.inject.Occurrence.Fate;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A stretch of a buffer's life in which a fault may strike it: a row of the campaign's map.
 *
 * @param site the buffer
 * @param label the stretch
 * @param when the moment of the strike
 * @param offer which workloads have the buffer
 * @param points where the buffer is met
 * @param <W> the workloads
 */
record Window<W extends Workload>(
    String site, String label, When when, Predicate<W> offer, Set<ProbePoint> points) {

  /** The moment of the strike. */
  enum When {
    /** Before the call that reads the buffer. */
    BEFORE,
    /** At a passing of the point during the call. */
    DURING,
    /** At a passing in a computation that is only compared. */
    SECOND,
    /** At the first passing for a region. */
    FIRST,
    /** At a later passing for a region that was read before. */
    AGAIN,
    /** After the call, before the next reader. */
    AFTER
  }

  /** Whether a strike on this passing, in a call of this workload, falls into this window. */
  boolean admits(W workload, Occurrence occurrence) {
    return points.contains(occurrence.point())
        && offer.test(workload)
        && switch (when) {
          case AGAIN -> occurrence.repeated();
          case FIRST, BEFORE, AFTER -> !occurrence.repeated();
          case DURING -> occurrence.fate() == Fate.RETURNED;
          case SECOND -> occurrence.fate() == Fate.COMPARED;
        };
  }
}
