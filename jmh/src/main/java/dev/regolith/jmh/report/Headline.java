package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.statistics.Estimate;
import dev.regolith.jmh.statistics.Medians;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A run in two sentences.
 *
 * @param text what was measured
 * @param reservation why it is not the whole story; empty if it is
 */
record Headline(String text, String reservation) {

  static Headline of(Summary summary) {
    return new Headline(text(summary), reservation(summary));
  }

  private static String text(Summary summary) {
    if (summary.rows().isEmpty()) {
      return "Nothing was measured.";
    }
    List<Double> toPeer =
        ratios(
            summary, row -> row.of(Impl.OFF).flatMap(Figures::toBestPeer).map(Map.Entry::getValue));
    List<Double> toOff =
        ratios(summary, row -> row.of(Impl.CORRECT).flatMap(Figures::toUnprotected));
    String protection =
        toOff.isEmpty()
            ? "Protection was not measured."
            : "Protection adds %s to the time of the median row."
                .formatted(Numbers.cost(Medians.of(toOff)).replace("+", ""));
    if (toPeer.isEmpty()) {
      return protection;
    }
    long won = toPeer.stream().filter(ratio -> ratio >= 1).count();
    return "%d of %d rows run at or above the best peer, the median row at %s of it. %s"
        .formatted(
            won, toPeer.size(), Numbers.percent(100 * Medians.of(toPeer)) + " %", protection);
  }

  private static List<Double> ratios(
      Summary summary, java.util.function.Function<RowFigures, Optional<Estimate>> ratio) {
    return summary.rows().stream()
        .flatMap(row -> ratio.apply(row).stream())
        .map(Estimate::median)
        .toList();
  }

  private static String reservation(Summary summary) {
    var result = summary.result();
    var text = new StringBuilder();
    if (result.interrupted()) {
      text.append("Interrupted: this is what was measured until then. ");
    }
    int launches = result.launches().size();
    if (launches == 1) {
      text.append("One launch: there are no intervals. ");
    } else if (launches > 1 && Estimate.coverage(launches) < 0.95) {
      text.append(
          "%d launches: intervals go from the smallest to the largest and hold the median with %s %%"
              .formatted(launches, Numbers.percent(100 * Estimate.coverage(launches))));
      text.append(" instead of 95 %. ");
    }
    if (!summary.missing().isEmpty()) {
      text.append("%d rows were not measured. ".formatted(summary.missing().size()));
    }
    if (summary.machine().load() > 0.5) {
      text.append(
          "Something else was running before: the load average was %s. "
              .formatted(Numbers.ratio(summary.machine().load())));
    }
    return text.toString().strip();
  }
}
