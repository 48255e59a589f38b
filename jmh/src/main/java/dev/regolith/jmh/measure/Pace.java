package dev.regolith.jmh.measure;

import java.util.Locale;

/**
 * How much time a row gets.
 *
 * @param sliceNanos a contender's turn lasts this long, or for one call
 * @param rowNanos rounds are added until this is used up
 * @param leastRounds but so many are there at least
 * @param mostRounds and at most
 * @param quietNanos who runs in the JVM counts as warm when nothing changed for so long
 * @param warmUpNanos the longest that one contender is warmed up
 */
public record Pace(
    String name,
    long sliceNanos,
    long rowNanos,
    int leastRounds,
    int mostRounds,
    long quietNanos,
    long warmUpNanos) {
  private static final long MILLI = 1_000_000;

  /** For figures to go by. */
  public static final Pace FULL =
      new Pace("full", 15 * MILLI, 3000 * MILLI, 3, 41, 400 * MILLI, 5000 * MILLI);

  /** For a first impression. */
  public static final Pace QUICK =
      new Pace("quick", 10 * MILLI, 600 * MILLI, 3, 15, 200 * MILLI, 3000 * MILLI);

  /** For tests: no figure means anything. */
  public static final Pace TINY = new Pace("tiny", MILLI / 10, MILLI, 2, 3, 0, MILLI);

  /** The pace of this name. */
  public static Pace of(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "full" -> FULL;
      case "quick" -> QUICK;
      case "tiny" -> TINY;
      default -> throw new IllegalArgumentException("no pace '" + name + "'");
    };
  }
}
