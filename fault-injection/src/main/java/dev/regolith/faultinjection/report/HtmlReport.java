package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes {@code report.html}: one file, no scripts, nothing loaded from elsewhere. */
public final class HtmlReport {
  private final Summary summary;
  private final StringBuilder html = new StringBuilder();

  private HtmlReport(Summary summary) {
    this.summary = summary;
  }

  /** The text of the file. */
  public static String of(Summary summary) {
    return new HtmlReport(summary).render();
  }

  private String render() {
    add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    add("<title>Regolith fault-injection campaign</title>\n");
    add("<style>\n" + PageStyle.CSS + "</style>\n</head>\n<body>\n");
    verdict();
    sites();
    bits();
    faultModels();
    meanings();
    reproduce();
    add("</body>\n</html>\n");
    return html.toString();
  }

  private void verdict() {
    Verdict verdict = Verdict.of(summary);
    String judgement = Html.prose(verdict.judgement());
    int colon = judgement.indexOf(':');
    if (colon > 0) {
      judgement = "<b>" + judgement.substring(0, colon) + "</b>" + judgement.substring(colon);
    }
    add(
        """
        <header>
        <p class="kicker">Regolith fault-injection campaign</p>
        <h1>%s</h1>
        <p class="judgement %s">%s</p>
        </header>
        <section>
        <div class="arms">
        """
            .formatted(Html.prose(verdict.headline()), verdict.word(), judgement));
    for (Arm arm : summary.arms()) {
      Counts counts = summary.counts(arm);
      String upsets = Share.count(counts.injected()) + " upsets";
      add("<div>%s<br><span class=\"note\">%s</span></div>".formatted(title(arm), upsets));
      add(OutcomeBar.labelled(counts) + "\n");
    }
    add("</div>\n<ul class=\"key\">\n");
    for (Outcome outcome : OutcomeBar.ORDER) {
      if (summary.arms().stream().anyMatch(arm -> summary.counts(arm).of(outcome) > 0)) {
        add("<li>%s%s</li>\n".formatted(swatch(outcome), OutcomeBar.label(outcome)));
      }
    }
    add("</ul>\n</section>\n");
  }

  private void sites() {
    add("<section>\n<h2>Where the upset hit</h2>\n");
    var table = new UpsetTable(summary, "site");
    summary.tally().sites().forEach((name, site) -> table.row(name, site.all()));
    add(table.sum("all", summary.tally().all()).toString());
    add("<p class=\"note\">");
    if (summary.paired()) {
      add(
          """
          Corrected: of the upsets that are silently wrong without protection, those that come out \
          with the right bits under it. Sites that exist under protection only have no such twin.
          """);
    }
    if (summary.ran(Arm.CORRECT)) {
      add(
          """
          Failed: silently wrong, wrongly or inexactly corrected, a crash, a hang or an error of \
          the harness, or damage left behind.
          """);
    }
    add("Intervals are 95&nbsp;% Clopper-Pearson.</p>\n");
    add("<details>\n<summary>By window: when in its life the buffer was hit</summary>\n");
    var windows = new UpsetTable(summary, "site and window");
    summary
        .tally()
        .sites()
        .forEach((name, site) -> {
          windows.row(name, site.all());
          site.windows().forEach(windows::inner);
        });
    add(windows + "</details>\n</section>\n");
  }

  private void bits() {
    add("<section>\n<h2>Which bit was hit</h2>\n");
    add(BitPlot.of(summary));
    add("<p class=\"note\">Upsets of a single bit of a 32-bit word.");
    if (summary.ran(Arm.OFF)) {
      add(" The thin lines are the 95&nbsp;% interval of the silently wrong.");
    }
    add(" Seals and checksums are not floats; their bits are counted by position all the same.");
    add("</p>\n<details>\n<summary>As numbers</summary>\n");
    var table = new UpsetTable(summary, "bit");
    for (FloatField field : FloatField.values()) {
      table.row(field.title(), summary.tally().bits(field.lowest(), field.highest()));
      for (int bit = field.highest(); bit >= field.lowest(); bit--) {
        table.inner("bit " + bit, summary.tally().bits().get(bit));
      }
    }
    add(table + "</details>\n</section>\n");
  }

  private void faultModels() {
    add("<section>\n<h2>What the upset did to the word</h2>\n");
    var table = new UpsetTable(summary, "fault model");
    summary.tally().faultModels().forEach((model, cell) -> table.row(model.id(), cell));
    add(table + "</section>\n");
  }

  private void meanings() {
    add("<section>\n<h2>How each trial ended</h2>\n<table class=\"plain\">\n<tr><th>outcome</th>");
    summary.arms().forEach(arm -> add("<th class=\"n\">%s</th>".formatted(title(arm))));
    add("<th>meaning</th></tr>\n");
    for (Outcome outcome : Outcome.values()) {
      add("<tr><td>%s%s</td>".formatted(swatch(outcome), outcome.id()));
      for (Arm arm : summary.arms()) {
        boolean bad = arm == Arm.CORRECT && outcome.breaksTheBar();
        number(summary.counts(arm).of(outcome), bad);
      }
      add("<td>%s</td></tr>\n".formatted(Html.escape(outcome.meaning())));
    }
    add("<tr><td>latent</td>");
    summary.arms().forEach(arm -> number(summary.counts(arm).latent(), arm == Arm.CORRECT));
    add("<td>with any of the above: weights, seals or checks still damaged afterwards</td></tr>\n");
    add("</table>\n</section>\n");
  }

  private void number(long number, boolean badUnlessZero) {
    String kind = badUnlessZero && number > 0 ? " bad" : "";
    add("<td class=\"n%s\">%s</td>".formatted(kind, Share.count(number)));
  }

  private void reproduce() {
    var tally = summary.tally();
    add(
        """
        <section>
        <h2>Run it again</h2>
        <pre><code>%s</code></pre>
        <p class="note">Every trial follows from the seed and its index; results.jsonl has a line \
        for each, summary.json the counts.</p>
        <table class="plain">
        """
            .formatted(Html.escape(summary.reproduce())));
    fact("workload", summary.workload());
    fact("trials", "%s, each in %s".formatted(Share.count(tally.trials()), armNames()));
    fact(
        "runs without a fault",
        "%s, %s false alarms"
            .formatted(Share.count(tally.controls()), Share.count(tally.falseAlarms())));
    fact("seed", Long.toString(summary.seed()));
    fact("time", duration(summary.result().elapsed().toSeconds()));
    fact("machine", summary.machine().os() + ", " + summary.machine().cores() + " cores");
    fact("Java", summary.machine().jdk());
    add("</table>\n<h2>What was protected, and how</h2>\n<table class=\"plain\">\n");
    configuration("", summary.configuration());
    fact("hash", Json.hash(summary.configuration()));
    add("</table>\n</section>\n");
  }

  private void configuration(String prefix, Map<?, ?> map) {
    map.forEach((key, value) -> {
      if (value instanceof Map<?, ?> inner) {
        configuration(prefix + key + ".", inner);
      } else if (value instanceof List<?> list) {
        fact(prefix + key, list.stream().map(String::valueOf).collect(Collectors.joining(", ")));
      } else {
        fact(prefix + key, String.valueOf(value));
      }
    });
  }

  private void fact(String name, String value) {
    add("<tr><td>%s</td><td>%s</td></tr>\n".formatted(Html.escape(name), Html.escape(value)));
  }

  private String armNames() {
    return summary.paired() ? "both arms" : "arm " + summary.arms().iterator().next().id();
  }

  private static String title(Arm arm) {
    return arm == Arm.OFF ? "unprotected" : "protected";
  }

  private static String swatch(Outcome outcome) {
    return "<span class=\"swatch o-%s\"></span>".formatted(outcome.id());
  }

  private static String duration(long seconds) {
    return seconds < 60 ? seconds + " s" : "%d min %d s".formatted(seconds / 60, seconds % 60);
  }

  private void add(String text) {
    html.append(text);
  }
}
