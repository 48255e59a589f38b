package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Cell;
import dev.regolith.faultinjection.campaign.Counts;

/** Writes a table of the page: a row per group of trials, with a bar and intervals for each arm. */
final class UpsetTable {
  private final Summary summary;
  private final StringBuilder html = new StringBuilder("<div class=\"scroll\">\n<table>\n");

  /** A table whose first column has this title. */
  UpsetTable(Summary summary, String first) {
    this.summary = summary;
    html.append("<tr><th>%s</th><th class=\"n\">upsets</th>".formatted(first));
    if (summary.ran(Arm.OFF)) {
      html.append("<th>unprotected</th><th class=\"n\">silently wrong</th><th>95 % CI</th>");
    }
    if (summary.ran(Arm.CORRECT)) {
      html.append("<th>protected</th><th class=\"n\">corrected</th><th>95 % CI</th>");
      html.append("<th class=\"n\">failed</th><th>95 % CI</th>");
    }
    html.append("</tr>\n");
  }

  UpsetTable row(String name, Cell cell) {
    return row("", name, cell);
  }

  /** A row that belongs to the one above. */
  UpsetTable inner(String name, Cell cell) {
    return row("inner", name, cell);
  }

  /** The last row. */
  UpsetTable sum(String name, Cell cell) {
    return row("sum", name, cell);
  }

  private UpsetTable row(String kind, String name, Cell cell) {
    html.append("<tr class=\"%s\">".formatted(kind));
    html.append("<td class=\"name\">%s</td>".formatted(Html.escape(name)));
    html.append("<td class=\"n\">%s</td>".formatted(Share.count(cell.injected())));
    if (summary.ran(Arm.OFF)) {
      Counts counts = cell.arm(Arm.OFF);
      Share sdc = Shares.sdc(counts);
      html.append("<td>%s</td>".formatted(OutcomeBar.small(counts)));
      share(sdc.percent(), sdc, false);
    }
    if (summary.ran(Arm.CORRECT)) {
      Counts counts = cell.arm(Arm.CORRECT);
      Share corrected = summary.paired() ? Shares.repaired(cell) : Shares.corrected(counts);
      Share failed = Shares.failed(counts);
      html.append("<td>%s</td>".formatted(OutcomeBar.small(counts)));
      share(
          summary.paired() ? corrected.ofTotal() : corrected.percent(),
          corrected,
          summary.paired() && corrected.hits() < corrected.trials());
      share(Share.count(failed.hits()), failed, failed.hits() > 0);
    }
    html.append("</tr>\n");
    return this;
  }

  private void share(String shown, Share share, boolean bad) {
    html.append("<td class=\"n%s\">%s</td>".formatted(bad ? " bad" : "", Html.prose(shown)));
    html.append("<td class=\"ci\">%s</td>".formatted(Html.prose(share.ends())));
  }

  @Override
  public String toString() {
    return html + "</table>\n</div>\n";
  }
}
