package dev.regolith.jmh.statistics;

import java.util.List;
import org.apache.commons.statistics.descriptive.Median;

/** Medians of rates. */
public final class Medians {
  private static final Median MEDIAN = Median.withDefaults();

  private Medians() {}

  /** The median; the mean of the middle two of an even number; NaN of none. */
  public static double of(double[] values) {
    return MEDIAN.evaluate(values);
  }

  /** The same of a list. */
  public static double of(List<Double> values) {
    return of(values.stream().mapToDouble(Double::doubleValue).toArray());
  }

  /** The median of the quotients, round by round: what both met in one round cancels. */
  public static double ofRatios(List<Double> numerators, List<Double> denominators) {
    if (numerators.size() != denominators.size()) {
      throw new IllegalArgumentException(
          "%d rounds against %d".formatted(numerators.size(), denominators.size()));
    }
    var ratios = new double[numerators.size()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = numerators.get(i) / denominators.get(i);
    }
    return of(ratios);
  }
}
