package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.statistics.Estimate;
import java.util.List;
import java.util.Optional;

/** The table that holds the time which protection takes against what the alternatives take. */
final class CostTable {
  private CostTable() {}

  static String of(List<RowFigures> rows) {
    var html = new StringBuilder();
    html.append(
        """
        <div class="scroll">
        <table>
        <tr><th>sizes</th><th>B</th><th class="n">threads</th><th class="n">protection</th>\
        <th class="n">from</th><th class="n">to</th><th class="n">computing twice</th>\
        <th class="n">three times, voting</th></tr>
        """);
    for (RowFigures row : rows) {
      Optional<Estimate> ours = cost(row, Impl.CORRECT);
      html.append("<tr>");
      cell(html, "", Numbers.sizes(row.row()));
      cell(html, "quiet", row.row().operands().id());
      cell(html, "n quiet", "" + row.row().threads());
      cell(html, "n", ours.map(r -> Numbers.cost(r.median())).orElse("–"));
      cell(html, "n quiet", ours.map(r -> Numbers.cost(r.high())).orElse("–"));
      cell(html, "n quiet", ours.map(r -> Numbers.cost(r.low())).orElse("–"));
      cell(html, "n", cost(row, Impl.TWICE).map(r -> Numbers.cost(r.median())).orElse("–"));
      cell(html, "n", cost(row, Impl.VOTE).map(r -> Numbers.cost(r.median())).orElse("–"));
      html.append("</tr>\n");
    }
    return html.append("</table>\n</div>\n").toString();
  }

  private static Optional<Estimate> cost(RowFigures row, Impl impl) {
    return row.of(impl).flatMap(Figures::toUnprotected);
  }

  private static void cell(StringBuilder html, String kind, String text) {
    html.append("<td class=\"%s\">%s</td>".formatted(kind, Html.escape(text)));
  }
}
