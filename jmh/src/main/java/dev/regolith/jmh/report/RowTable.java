package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.statistics.Estimate;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The table of a group: a line per row, our two modes beside the best peer. */
final class RowTable {
  private final StringBuilder html = new StringBuilder();

  private RowTable() {}

  static String of(List<RowFigures> rows) {
    var table = new RowTable();
    boolean memory = rows.stream().anyMatch(row -> row.row().readsFromMemory());
    table.head(memory, rows.getFirst().row().sizes() instanceof AttentionShape);
    int threads = -1;
    for (RowFigures row : rows) {
      table.row(row, memory, threads >= 0 && threads != row.row().threads());
      threads = row.row().threads();
    }
    return table.html.append("</table>\n</div>\n").toString();
  }

  private void head(boolean memory, boolean attention) {
    String unit = memory ? "GB/s" : "GFLOP/s";
    String ceiling = memory ? "% of read" : "% of peak";
    html.append(
        """
        <div class="scroll">
        <table>
        <tr class="over"><th></th><th></th><th></th><th class="c" colspan="2">unprotected</th>\
        <th class="c" colspan="2">protected</th><th class="c" colspan="2">best peer</th>\
        <th class="c" colspan="2">unprot. / best peer</th>\
        <th class="c" colspan="2">prot. / unprot.</th></tr>
        <tr><th>%3$s</th><th>%4$s</th><th class="n">thr.</th>\
        <th class="n">%1$s</th><th class="n">%2$s</th><th class="n">%1$s</th>\
        <th class="n">%2$s</th><th></th><th class="n">%1$s</th>\
        <th class="n">ratio</th><th></th><th class="n">ratio</th><th>interval</th></tr>
        """
            .formatted(
                unit,
                ceiling,
                attention ? "heads/KV heads x queries x keys x size" : "m x k x n",
                attention ? "K, V" : "B"));
  }

  private void row(RowFigures row, boolean memory, boolean first) {
    html.append(first ? "<tr class=\"first\">" : "<tr>");
    cell("", Numbers.sizes(row.row()));
    cell("quiet", row.row().operands().id());
    cell("n quiet", Integer.toString(row.row().threads()));
    Optional<Figures> off = row.of(Impl.OFF);
    Optional<Figures> correct = row.of(Impl.CORRECT);
    speed(off, memory);
    speed(correct, memory);
    best(row, off, memory);
    toPeer(off);
    protection(correct.flatMap(Figures::toUnprotected));
    html.append("</tr>\n");
  }

  private void speed(Optional<Figures> figures, boolean memory) {
    cell("n", figures.map(f -> speed(f, memory)).orElse("–"));
    cell(
        "n quiet",
        figures.map(f -> Numbers.percent(f.percentOfCeiling().median()) + " %").orElse("–"));
  }

  private static String speed(Figures figures, boolean memory) {
    return Numbers.speed((memory ? figures.gigabytesPerSecond() : figures.gflops()).median());
  }

  private void best(RowFigures row, Optional<Figures> off, boolean memory) {
    Optional<Figures> peer =
        off.flatMap(Figures::toBestPeer)
            .flatMap(best -> row.of(Impl.peer(best.getKey())))
            .or(() -> row.peers().stream().findFirst());
    cell("quiet", peer.map(f -> f.impl().name()).orElse("none"));
    cell("n", peer.map(f -> speed(f, memory)).orElse("–"));
  }

  private void toPeer(Optional<Figures> off) {
    Optional<Estimate> ratio = off.flatMap(Figures::toBestPeer).map(Map.Entry::getValue);
    cell("n" + mood(ratio), ratio.map(r -> Numbers.ratio(r.median())).orElse("–"));
    html.append("<td class=\"whisker\">");
    ratio.ifPresent(r -> html.append(Whisker.of(r, Mark.OFF).replaceFirst(">", tooltip(r))));
    html.append("</td>");
  }

  /** At least the peer's speed, and not by chance; or clearly less. */
  private static String mood(Optional<Estimate> ratio) {
    if (ratio.isEmpty()) {
      return "";
    }
    return ratio.get().median() >= 1 && ratio.get().low() >= 0.98
        ? " good"
        : ratio.get().high() < 1 ? " bad" : "";
  }

  private static String tooltip(Estimate ratio) {
    return "><title>%s</title>".formatted(Numbers.interval(ratio));
  }

  private void protection(Optional<Estimate> ratio) {
    cell("n", ratio.map(r -> Numbers.fineRatio(r.median())).orElse("–"));
    cell("quiet", ratio.map(Numbers::fineInterval).orElse(""));
  }

  private void cell(String kind, String text) {
    html.append("<td class=\"%s\">%s</td>".formatted(kind, Html.escape(text)));
  }
}
