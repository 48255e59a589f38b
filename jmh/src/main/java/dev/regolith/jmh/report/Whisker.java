package dev.regolith.jmh.report;

import dev.regolith.jmh.statistics.Estimate;

/** A ratio as a dot on its interval, in a cell of a table; a dashed line stands at 1. */
final class Whisker {
  private static final double LOW = 0.4;
  private static final double HIGH = 1.4;
  private static final int WIDTH = 104;
  private static final int MIDDLE = 8;

  private Whisker() {}

  static String of(Estimate ratio, Mark mark) {
    return "<svg class=\"whisker\" viewBox=\"0 0 104 16\" aria-hidden=\"true\">%s%s%s</svg>"
        .formatted(
            line("one", 1, 1, 0, 16),
            "<g class=\"%s\">%s</g>"
                .formatted(mark.style(), line("span", ratio.low(), ratio.high(), MIDDLE, MIDDLE)),
            mark.at(at(ratio.median()), MIDDLE));
  }

  private static String line(String kind, double from, double to, int y1, int y2) {
    return "<line class=\"%s\" x1=\"%s\" y1=\"%d\" x2=\"%s\" y2=\"%d\"/>"
        .formatted(kind, Mark.number(at(from)), y1, Mark.number(at(to)), y2);
  }

  /** Ratios beyond the ends stand at the ends. */
  private static double at(double ratio) {
    return 6 + (WIDTH - 12) * Math.clamp((ratio - LOW) / (HIGH - LOW), 0, 1);
  }
}
