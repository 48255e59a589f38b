package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Cell;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;
import java.util.ArrayList;
import java.util.List;

/** A campaign as tables for the terminal, plain ASCII, at most 100 columns wide. */
public final class ConsoleReport {
  private static final int WIDTH = 100;
  private static final int NAME_WIDTH = 22;

  private final Summary summary;

  private ConsoleReport(Summary summary) {
    this.summary = summary;
  }

  /** The tables and the verdict; ends with a line break. */
  public static String of(Summary summary) {
    return new ConsoleReport(summary).render();
  }

  private String render() {
    TextTable sites = new TextTable().row(armNames()).row(header("site"));
    summary.tally().sites().forEach((name, site) -> sites.row(row(name, site.all())));
    sites.row(row("all", summary.tally().all()));

    TextTable bits = new TextTable().row(armNames()).row(header("single bits"));
    for (FloatField field : FloatField.values()) {
      bits.row(row(field.title(), summary.tally().bits(field.lowest(), field.highest())));
    }
    for (int bit = Integer.SIZE - 1; bit >= 0; bit--) {
      String label = "  bit %2d, %s".formatted(bit, FloatField.of(bit).id());
      bits.row(row(label, summary.tally().bits().get(bit)));
    }

    Verdict verdict = Verdict.of(summary);
    List<String> lines = new ArrayList<>(sites.lines());
    lines.add("");
    lines.addAll(bits.lines());
    lines.add("");
    lines.addAll(legend());
    lines.add("");
    lines.addAll(wrap(verdict.headline()));
    lines.addAll(wrap(verdict.judgement()));
    return String.join("\n", lines) + "\n";
  }

  private List<String> armNames() {
    List<String> cells = new ArrayList<>(List.of("", ""));
    if (summary.ran(Arm.OFF)) {
      cells.addAll(List.of("off:", ""));
    }
    if (summary.ran(Arm.CORRECT)) {
      cells.add("correct:");
    }
    return cells;
  }

  private List<String> header(String first) {
    List<String> cells = new ArrayList<>(List.of(first, "upsets"));
    if (summary.ran(Arm.OFF)) {
      cells.addAll(List.of("sdc %", "95 % CI"));
    }
    if (summary.ran(Arm.CORRECT)) {
      cells.add(summary.paired() ? "corrected" : "corrected %");
      cells.addAll(List.of("95 % CI", "detected", "failed", "95 % CI"));
    }
    return cells;
  }

  private List<String> row(String name, Cell cell) {
    List<String> cells = new ArrayList<>(List.of(shorten(name), Long.toString(cell.injected())));
    if (summary.ran(Arm.OFF)) {
      Share sdc = Shares.sdc(cell.arm(Arm.OFF));
      cells.addAll(List.of(sdc.percent().replace(" %", ""), sdc.ends()));
    }
    if (summary.ran(Arm.CORRECT)) {
      Counts counts = cell.arm(Arm.CORRECT);
      Share corrected = summary.paired() ? Shares.repaired(cell) : Shares.corrected(counts);
      Share failed = Shares.failed(counts);
      cells.add(
          summary.paired()
              ? corrected.ofTotal().replace(",", "")
              : corrected.percent().replace(" %", ""));
      cells.add(corrected.ends());
      cells.add(Long.toString(counts.of(Outcome.DETECTED)));
      cells.add(Long.toString(failed.hits()));
      cells.add(failed.ends());
    }
    return cells;
  }

  private List<String> legend() {
    List<String> sentences = new ArrayList<>();
    if (summary.ran(Arm.OFF)) {
      sentences.add("sdc: silently wrong without protection.");
    }
    if (summary.paired()) {
      sentences.add(
          "corrected: of the upsets that are sdc without protection, those repaired with it.");
    }
    if (summary.ran(Arm.CORRECT)) {
      sentences.add(
          "failed: under protection silently wrong, wrongly or inexactly corrected, crash, hang,"
              + " harness error, or damage left behind.");
    }
    sentences.add("Intervals are 95 % Clopper-Pearson.");
    return sentences.stream().flatMap(sentence -> wrap(sentence).stream()).toList();
  }

  private static String shorten(String name) {
    return name.length() <= NAME_WIDTH ? name : name.substring(0, NAME_WIDTH - 2) + "..";
  }

  private static List<String> wrap(String text) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : text.split(" (?!%|CI)", -1)) { // a number stays with its sign
      if (!line.isEmpty() && line.length() + 1 + word.length() > WIDTH) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.isEmpty() ? "" : " ").append(word);
    }
    lines.add(line.toString());
    return lines;
  }
}
