package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.statistics.Estimate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A run as a table for the terminal, plain ASCII, at most 110 columns wide. */
public final class ConsoleTable {
  private static final String GAP = "  ";

  private ConsoleTable() {}

  /** The table, what went wrong, and the headline; ends with a line break. */
  public static String of(Summary summary) {
    var rows = new ArrayList<List<String>>();
    rows.add(
        List.of(
            "sizes",
            "B",
            "thr",
            "off",
            "% ceil",
            "correct",
            "% ceil",
            "best peer",
            "",
            "off/peer",
            "95 % CI",
            "corr/off",
            "95 % CI"));
    for (RowFigures row : summary.rows()) {
      rows.add(line(row));
    }
    var lines = new ArrayList<>(aligned(rows));
    lines.add("");
    lines.add("GFLOP/s; ceil: multiply-add peak, of decode rows the read bandwidth.");
    lines.add(
        "Sizes: of products m x k x n, of attentions heads/kvHeads x queries x keys x headSize.");
    summary
        .result()
        .absent()
        .forEach((peer, reason) -> lines.add("absent: %s (%s)".formatted(peer, reason)));
    summary.result().problems().forEach(problem -> lines.add("problem: " + problem));
    Headline headline = Headline.of(summary);
    lines.add(headline.text());
    if (!headline.reservation().isEmpty()) {
      lines.add(headline.reservation());
    }
    return String.join("\n", lines).replace('–', '-').replace('−', '-') + "\n";
  }

  private static List<String> line(RowFigures row) {
    Optional<Figures> off = row.of(Impl.OFF);
    Optional<Figures> correct = row.of(Impl.CORRECT);
    Optional<Map.Entry<String, Estimate>> best = off.flatMap(Figures::toBestPeer);
    Optional<Estimate> cost = correct.flatMap(Figures::toUnprotected);
    return List.of(
        row.row().sizes().toString(),
        row.row().operands().id(),
        "" + row.row().threads(),
        off.map(ConsoleTable::speed).orElse("-"),
        off.map(ConsoleTable::percent).orElse("-"),
        correct.map(ConsoleTable::speed).orElse("-"),
        correct.map(ConsoleTable::percent).orElse("-"),
        best.map(Map.Entry::getKey).orElse("none"),
        best.flatMap(peer -> row.of(Impl.peer(peer.getKey()))).map(ConsoleTable::speed).orElse("-"),
        best.map(peer -> Numbers.ratio(peer.getValue().median())).orElse("-"),
        best.map(peer -> Numbers.interval(peer.getValue())).orElse("-"),
        cost.map(ratio -> Numbers.fineRatio(ratio.median())).orElse("-"),
        cost.map(Numbers::fineInterval).orElse("-"));
  }

  private static String speed(Figures figures) {
    return Numbers.speed(figures.gflops().median());
  }

  private static String percent(Figures figures) {
    return Numbers.percent(figures.percentOfCeiling().median());
  }

  /** The first two columns to the left, the others to the right. */
  private static List<String> aligned(List<List<String>> rows) {
    var widths = new int[rows.getFirst().size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    return rows.stream()
        .map(row -> {
          var line = new StringBuilder();
          for (int i = 0; i < widths.length; i++) {
            String padding = " ".repeat(widths[i] - row.get(i).length());
            line.append(i == 0 ? "" : GAP);
            line.append(i < 2 ? row.get(i) + padding : padding + row.get(i));
          }
          return line.toString().stripTrailing();
        })
        .toList();
  }
}
