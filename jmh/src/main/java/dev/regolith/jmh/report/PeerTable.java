package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.statistics.Estimate;
import java.util.List;
import java.util.Optional;

/** The table that holds both our modes against each peer, and says how the peer computed. */
final class PeerTable {
  private PeerTable() {}

  static String of(List<RowFigures> rows) {
    var html = new StringBuilder();
    html.append(
        """
        <div class="scroll">
        <table>
        <tr><th>sizes</th><th>B</th><th class="n">thr.</th><th>peer</th>\
        <th>entry point</th><th class="n">GFLOP/s</th>\
        <th class="n">unprot. / peer</th><th>interval</th>\
        <th class="n">prot. / peer</th><th>interval</th></tr>
        """);
    for (RowFigures row : rows) {
      boolean first = true;
      for (Figures peer : row.peers()) {
        html.append(first ? "<tr class=\"first\">" : "<tr>");
        cell(html, "", first ? Numbers.sizes(row.row()) : "");
        cell(html, "quiet", first ? row.row().operands().id() : "");
        cell(html, "n quiet", first ? "" + row.row().threads() : "");
        cell(html, "", peer.impl().name());
        cell(html, "quiet", peer.way());
        cell(html, "n", Numbers.speed(peer.gflops().median()));
        ratio(html, to(row, Impl.OFF, peer));
        ratio(html, to(row, Impl.CORRECT, peer));
        html.append("</tr>\n");
        first = false;
      }
    }
    return html.append("</table>\n</div>\n").toString();
  }

  private static Optional<Estimate> to(RowFigures row, Impl ours, Figures peer) {
    return row.of(ours)
        .flatMap(figures -> Optional.ofNullable(figures.toPeers().get(peer.impl().name())));
  }

  private static void ratio(StringBuilder html, Optional<Estimate> ratio) {
    cell(html, "n", ratio.map(r -> Numbers.ratio(r.median())).orElse("–"));
    cell(html, "quiet", ratio.map(Numbers::interval).orElse(""));
  }

  private static void cell(StringBuilder html, String kind, String text) {
    html.append("<td class=\"%s\">%s</td>".formatted(kind, Html.escape(text)));
  }
}
