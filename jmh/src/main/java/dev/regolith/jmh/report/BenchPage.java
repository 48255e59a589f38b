package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.launch.ColdStart;
import dev.regolith.jmh.machine.Caches;
import dev.regolith.jmh.peer.PeerEnvironment;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.statistics.Estimate;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** Writes {@code report.html}: one file, no scripts, nothing loaded from elsewhere. */
public final class BenchPage {
  private final Summary summary;
  private final StringBuilder html = new StringBuilder();

  private BenchPage(Summary summary) {
    this.summary = summary;
  }

  /** The text of the file. */
  public static String of(Summary summary) {
    return new BenchPage(summary).render();
  }

  private String render() {
    add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    add("<title>Regolith benchmark</title>\n");
    add("<style>\n" + PageStyle.CSS + "</style>\n</head>\n<body>\n");
    header();
    problems();
    roofline();
    tables();
    costs();
    eachPeer();
    warmUp();
    peers();
    method();
    machine();
    add("</body>\n</html>\n");
    return html.toString();
  }

  private void header() {
    Headline headline = Headline.of(summary);
    add(
        """
        <header>
        <p class="kicker">Regolith benchmark</p>
        <h1>%s</h1>
        """
            .formatted(Html.escape(headline.text()).replace(" %", "&nbsp;%")));
    if (!headline.reservation().isEmpty()) {
      add(
          "<p class=\"partial\">%s</p>\n"
              .formatted(Html.escape(headline.reservation()).replace(" %", "&nbsp;%")));
    }
    add("</header>\n<div class=\"tiles\">\n");
    summary
        .fmaPeaks()
        .forEach((threads, peak) ->
            tile(Numbers.speed(peak) + " GFLOP/s", "multiply-add peak, " + threads(threads)));
    summary
        .readBandwidths()
        .forEach((threads, rate) ->
            tile(Numbers.speed(rate) + " GB/s", "read bandwidth, " + threads(threads)));
    add("</div>\n");
  }

  private void tile(String figure, String label) {
    add("<div><b>%s</b><span>%s</span></div>\n".formatted(figure, label));
  }

  private static String threads(int count) {
    return count == 1 ? "1 thread" : count + " threads";
  }

  private void problems() {
    List<String> problems = summary.result().problems();
    if (!problems.isEmpty()) {
      add("<section>\n<h2>What went wrong</h2>\n<ul>\n");
      problems.forEach(problem -> add("<li>%s</li>\n".formatted(Html.escape(problem))));
      add("</ul>\n</section>\n");
    }
  }

  private void roofline() {
    if (summary.rows().isEmpty()) {
      return;
    }
    add("<section>\n<h2>Under the roof</h2>\n" + Roofline.of(summary) + "<ul class=\"key\">\n");
    for (Mark mark : Mark.values()) {
      add(
          "<li><svg viewBox=\"0 0 14 14\">%s</svg>%s</li>\n"
              .formatted(mark.at(7, 7), mark.label()));
    }
    add("</ul>\n</section>\n");
  }

  private void tables() {
    add("<section>\n<h2>Speed</h2>\n");
    for (Group group : Group.values()) {
      List<RowFigures> rows =
          summary.rows().stream().filter(row -> row.row().group() == group).toList();
      if (!rows.isEmpty()) {
        add("<h3>%s</h3>\n%s".formatted(group.title(), RowTable.of(rows)));
      }
    }
    add(
        """
        <p class="note">Every ratio is formed round by round from turns that follow each other,
        its median is one launch's word, and what stands here is the median over launches. The best
        peer of a row is the one that our ratio is lowest to. Green: at least 1.00, with the lower
        end of the interval at 0.98 or above; red: the whole interval is below 1.</p>
        </section>
        """);
  }

  private void costs() {
    if (summary.rows().stream().anyMatch(row -> row.of(Impl.CORRECT).isPresent())) {
      add("<section>\n<h2>What protection costs, and what the alternatives would</h2>\n");
      add(CostTable.of(summary.rows()));
      add(
          """
          <p class="note">Time added to a call without protection. Computing twice only notices, and
          neither alternative sees damage that all computations read.</p>
          </section>
          """);
    }
  }

  private void eachPeer() {
    if (summary.rows().stream().anyMatch(row -> !row.peers().isEmpty())) {
      add("<section>\n<h2>Against each peer</h2>\n<details>\n<summary>All rows</summary>\n");
      add(PeerTable.of(summary.rows()) + "</details>\n</section>\n");
    }
  }

  private void warmUp() {
    List<ColdStart> starts = summary.result().coldStarts();
    if (starts.isEmpty()) {
      return;
    }
    add("<section>\n<h2>From a standing start</h2>\n<table class=\"plain\">\n");
    ColdStart any = starts.getFirst();
    fact("until the session is open", spread(starts, ColdStart::secondsToOpen));
    fact("until the first result", spread(starts, ColdStart::secondsToFirstResult));
    fact("from then to 90 % of steady speed", spread(starts, ColdStart::secondsTo90Percent));
    add(
        """
        </table>
        <p class="note">Fresh JVMs that do nothing but multiply %1$d x %1$d x %1$d with packed
        weights on %2$s, default session; the first two count from the start of the JVM. Median and
        range of %3$d.</p>
        </section>
        """
            .formatted(any.size(), threads(any.threads()), starts.size()));
  }

  private static String spread(List<ColdStart> starts, ToDoubleFunction<ColdStart> figure) {
    var estimate = Estimate.of(starts.stream().mapToDouble(figure).toArray());
    double low = starts.stream().mapToDouble(figure).min().orElseThrow();
    double high = starts.stream().mapToDouble(figure).max().orElseThrow();
    return "%s s (%s–%s)"
        .formatted(
            Numbers.format("%.2f", estimate.median()),
            Numbers.format("%.2f", low),
            Numbers.format("%.2f", high));
  }

  private void peers() {
    var result = summary.result();
    add("<section>\n<h2>Peers</h2>\n<table class=\"plain\">\n");
    result.present().forEach(this::fact);
    result.absent().forEach((name, reason) -> fact(name, "absent: " + reason));
    if (!result.openBlasTrial().isEmpty()) {
      fact(
          "OpenBLAS core types tried",
          result.openBlasTrial().entrySet().stream()
              .map(trial -> "%s %s".formatted(trial.getKey(), Numbers.speed(trial.getValue())))
              .collect(Collectors.joining(", ", "", " GFLOP/s; the fastest is used")));
    }
    fact(
        "their environment",
        PeerEnvironment.variables(result.plan().waiting()).entrySet().stream()
            .map(entry -> entry.getKey() + "=" + entry.getValue())
            .collect(Collectors.joining(" ")));
    add("</table>\n</section>\n");
  }

  private void method() {
    var result = summary.result();
    add(
        """
        <section>
        <h2>Run it again</h2>
        <pre><code>%s</code></pre>
        <p class="note">Launches of a JVM: %d, one after the other, in %s. In each, everybody
        computes in turn what a row asks for: slices of %d ms or one call, the order changing from
        round to round, a rest before each so that nobody's waiting threads disturb. Every result
        was checked before it was timed: a product by |c - exact| at most gamma_K |A||B|, in double
        precision, an attention beside one in double precision, by what rounding may do to it.
        Packed rows: whoever can pack ahead does, the others get B in the order they are faster
        with. Decode rows go through copies of the weights, or of keys and values, four times as
        large as the last-level cache, so that they come from memory. Intervals over launches are order statistics at
        95 %%.</p>
        </section>
        """
            .formatted(
                Html.escape(summary.reproduce()),
                result.launches().size(),
                Numbers.seconds(result.seconds()),
                result.plan().pace().sliceNanos() / 1_000_000));
  }

  private void machine() {
    var machine = summary.machine();
    add("<section>\n<h2>Machine</h2>\n<table class=\"plain\">\n");
    fact("processor", "%s, %d cores".formatted(machine.cpu(), machine.cores()));
    fact(
        "caches",
        machine.caches().stream().map(BenchPage::cache).collect(Collectors.joining(", ")));
    long page = machine.hugePageBytes();
    fact(
        "memory",
        "%s, large operands in %s"
            .formatted(
                Numbers.bytes(machine.memoryBytes()),
                page == 0 ? "small pages" : "pages of " + Numbers.bytes(page)));
    fact("system", machine.os());
    fact("Java", machine.jdk());
    fact("flags", String.join(" ", machine.flags()));
    fact("load before", Numbers.ratio(machine.load()));
    add("</table>\n<h2>What was protected, and how</h2>\n<table class=\"plain\">\n");
    Map<String, String> configuration = summary.result().configuration();
    configuration.forEach(this::fact);
    if (!configuration.isEmpty()) {
      fact("hash", ConfigurationHash.of(configuration));
    }
    add(
        "</table>\n"
            + "<p class=\"note\">A campaign of the same configuration carries the same"
            + " hash.</p>\n");
    add("</section>\n");
  }

  private static String cache(Caches.Cache cache) {
    return "L%d %s".formatted(cache.level(), Numbers.bytes(cache.bytes()));
  }

  private void fact(String name, String value) {
    add("<tr><td>%s</td><td>%s</td></tr>\n".formatted(Html.escape(name), Html.escape(value)));
  }

  private void add(String text) {
    html.append(text);
  }
}
