package dev.regolith.faultinjection.report;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;

/**
 * Some out of many, and how it is written. Rounding never flatters: a share that is not everything
 * is never shown as 100 %, one that is not nothing never as 0 %, and intervals are rounded
 * outwards.
 *
 * @param hits the number that did
 * @param trials the number that could have
 */
record Share(long hits, long trials) {

  /** The fraction, 0 if there was nothing to count. */
  double fraction() {
    return trials == 0 ? 0 : (double) hits / trials;
  }

  /** Such as {@code 41.2 %}; {@code -} if there was nothing to count. */
  String percent() {
    if (trials == 0) {
      return "-";
    }
    String rounded = digits(fraction(), 1, RoundingMode.HALF_EVEN);
    if (hits > 0 && rounded.equals("0.0")) {
      return "< 0.1 %";
    }
    if (hits < trials && rounded.equals("100.0")) {
      return "> 99.9 %";
    }
    return (hits == trials ? "100" : hits == 0 ? "0" : rounded) + " %";
  }

  /** Such as {@code 99.91-100 %}; {@code -} if there was nothing to count. */
  String interval() {
    return trials == 0 ? "-" : ends() + " %";
  }

  /** As {@link #interval()}, without the sign. */
  String ends() {
    if (trials == 0) {
      return "-";
    }
    Interval interval = Interval.of(hits, trials);
    int places = interval.high() < 0.01 || interval.low() > 0.99 ? 2 : 1;
    String low = bound(interval.low(), places, RoundingMode.FLOOR);
    String high = bound(interval.high(), places, RoundingMode.CEILING);
    return low + "-" + high;
  }

  /** Such as {@code 182/184}. */
  String ofTotal() {
    return trials == 0 ? "-" : count(hits) + "/" + count(trials);
  }

  /** A number with its thousands separated, such as {@code 20,000}. */
  static String count(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  private static String bound(double fraction, int places, RoundingMode rounding) {
    return fraction <= 0 ? "0" : fraction >= 1 ? "100" : digits(fraction, places, rounding);
  }

  private static String digits(double fraction, int places, RoundingMode rounding) {
    return BigDecimal.valueOf(fraction).movePointRight(2).setScale(places, rounding).toString();
  }
}
