package dev.regolith.faultinjection.report;

import org.apache.commons.statistics.interval.BinomialConfidenceInterval;

/**
 * A confidence interval of a share.
 *
 * @param low the lower end, 0 to 1
 * @param high the upper end, 0 to 1
 */
public record Interval(double low, double high) {

  /**
   * The exact 95 % interval of Clopper and Pearson (1934): it holds the true share in at least 95
   * of 100 campaigns, however rare the event. Without any trial it is everything, 0 to 1.
   */
  public static Interval of(long hits, long trials) {
    if (hits < 0 || hits > trials) {
      throw new IllegalArgumentException("%d hits in %d trials".formatted(hits, trials));
    }
    if (trials == 0) {
      return new Interval(0, 1);
    }
    var interval =
        BinomialConfidenceInterval.CLOPPER_PEARSON.fromErrorRate(
            Math.toIntExact(trials), Math.toIntExact(hits), 0.05);
    return new Interval(interval.getLowerBound(), interval.getUpperBound());
  }
}
