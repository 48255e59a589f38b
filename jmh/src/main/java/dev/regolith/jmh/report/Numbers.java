package dev.regolith.jmh.report;

import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.statistics.Estimate;
import java.util.Locale;

/** How figures are written for people. */
final class Numbers {
  private Numbers() {}

  /** Sizes with room to read them. */
  static String sizes(Row row) {
    return row.sizes().toString().replace("x", " x ").replace("-", ", ");
  }

  /** Three significant digits at least, none after the point from 100 on. */
  static String speed(double value) {
    return format(value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
  }

  static String percent(double value) {
    return format(value < 10 ? "%.1f" : "%.0f", value);
  }

  static String ratio(double value) {
    return format(value < 0.1 ? "%.3f" : "%.2f", value);
  }

  /** Three decimals, where thousandths are asked for. */
  static String fineRatio(double value) {
    return format("%.3f", value);
  }

  static String interval(Estimate estimate) {
    return ratio(estimate.low()) + "–" + ratio(estimate.high());
  }

  static String fineInterval(Estimate estimate) {
    return fineRatio(estimate.low()) + "–" + fineRatio(estimate.high());
  }

  /** Time lost to protection, in percent of the unprotected time. */
  static String cost(double ratio) {
    double percent = 100 * (1 / ratio - 1);
    return format("%+.1f", percent).replace('-', '−') + " %";
  }

  static String bytes(long bytes) {
    return bytes >= 1 << 30
        ? format("%.0f GiB", bytes / 0x1p30)
        : bytes >= 1 << 20
            ? format("%.0f MiB", bytes / 0x1p20)
            : format("%.0f KiB", bytes / 0x1p10);
  }

  static String seconds(double seconds) {
    return seconds < 60
        ? format("%.1f s", seconds)
        : "%d min %d s".formatted((long) seconds / 60, (long) seconds % 60);
  }

  static String format(String form, double value) {
    return String.format(Locale.ROOT, form, value);
  }
}
