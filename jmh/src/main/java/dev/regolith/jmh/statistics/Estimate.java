package dev.regolith.jmh.statistics;

import java.util.Arrays;
import org.apache.commons.statistics.distribution.BinomialDistribution;

/**
 * A median over launches and its interval.
 *
 * <p>The interval is bounded by order statistics, which asks nothing of the distribution: the true
 * median lies between the r-th smallest and the r-th largest of n launches unless r - 1 or fewer of
 * them fall on one side of it, each with probability one half. r is the largest that holds 95 %.
 * Six launches are the fewest for which the smallest and the largest do (96.9 %); with fewer, these
 * two are given all the same, and {@link #coverage} says what they hold.
 *
 * @param median of the launches
 * @param low lower end
 * @param high upper end
 * @param launches how many there were
 */
public record Estimate(double median, double low, double high, int launches) {
  private static final double LEVEL = 0.95;

  /**
   * Of the launches' own medians.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static Estimate of(double... launches) {
    if (launches.length == 0) {
      throw new IllegalArgumentException("no launch, no estimate");
    }
    double[] sorted = launches.clone();
    Arrays.sort(sorted);
    int rank = rank(sorted.length);
    return new Estimate(
        Medians.of(sorted), sorted[rank - 1], sorted[sorted.length - rank], sorted.length);
  }

  /** The probability that the interval of so many launches holds the true median. */
  public static double coverage(int launches) {
    return 1 - 2 * below(launches, rank(launches));
  }

  private static int rank(int launches) {
    int rank = 1;
    while (2 * below(launches, rank + 1) <= 1 - LEVEL) {
      rank++;
    }
    return rank;
  }

  /** The probability that fewer than {@code rank} of the launches lie below the true median. */
  private static double below(int launches, int rank) {
    return BinomialDistribution.of(launches, 0.5).cumulativeProbability(rank - 1);
  }
}
