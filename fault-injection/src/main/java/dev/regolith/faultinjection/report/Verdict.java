package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;
import java.util.ArrayList;
import java.util.List;

/**
 * A campaign in two sentences.
 *
 * @param word one of {@code passed}, {@code failed}, {@code interrupted}
 * @param headline what was measured
 * @param judgement what that means for the bar, and why
 */
public record Verdict(String word, String headline, String judgement) {

  /** The verdict on a campaign. */
  public static Verdict of(Summary summary) {
    boolean passed = summary.result().passed();
    String word = !passed ? "failed" : summary.result().interrupted() ? "interrupted" : "passed";
    return new Verdict(word, headline(summary), judgement(summary));
  }

  /** Whether nothing speaks against protection, though an interrupted run is no proof of it. */
  public boolean good() {
    return word.equals("passed");
  }

  private static String headline(Summary summary) {
    if (summary.tally().trials() == 0) {
      return "No upset was injected.";
    }
    if (summary.paired()) {
      Share repaired = new Share(summary.pairing().corrected(), summary.pairing().sdcOff());
      if (repaired.trials() == 0) {
        return "No upset silently corrupted the unprotected result: there was nothing to repair.";
      }
      return ("Of %s upsets that silently corrupted the unprotected result, %s were corrected"
              + " (95 %% CI %s).")
          .formatted(
              Share.count(repaired.trials()), Share.count(repaired.hits()), repaired.interval());
    }
    boolean off = summary.ran(Arm.OFF);
    Share share =
        off ? Shares.sdc(summary.counts(Arm.OFF)) : Shares.corrected(summary.counts(Arm.CORRECT));
    return "Of %s upsets %s protection, %s (%s, 95 %% CI %s) %s."
        .formatted(
            Share.count(share.trials()),
            off ? "without" : "under",
            Share.count(share.hits()),
            share.percent(),
            share.interval(),
            off ? "silently corrupted the result" : "were corrected");
  }

  private static String judgement(Summary summary) {
    List<String> faults = new ArrayList<>(summary.result().errors());
    if (faults.isEmpty() && summary.tally().falseAlarms() > 0) {
      faults.add(Share.count(summary.tally().falseAlarms()) + " false alarms");
    }
    String shortfall = shortfall(summary.counts(Arm.CORRECT));
    if (!shortfall.isEmpty()) {
      faults.add(shortfall + " under protection");
    }
    String interrupted =
        summary.result().interrupted()
            ? "Interrupted after %s of %s trials. "
                .formatted(
                    Share.count(summary.tally().trials()), Share.count(summary.trialsAsked()))
            : "";
    if (!faults.isEmpty()) {
      return interrupted + "FAILED: " + String.join("; ", faults) + ".";
    }
    if (!summary.ran(Arm.CORRECT)) {
      return interrupted + "Protection was off, so there is no bar to meet.";
    }
    Share failures = new Share(0, summary.counts(Arm.CORRECT).injected());
    return ("%s%s: no wrong result, no crash and no damage left behind in %s protected upsets"
            + " (95 %% CI %s), and no false alarm in %s runs without a fault.")
        .formatted(
            interrupted,
            interrupted.isEmpty() ? "PASSED" : "So far",
            Share.count(failures.trials()),
            failures.interval(),
            Share.count(summary.tally().controls()));
  }

  private static String shortfall(Counts counts) {
    List<String> parts = new ArrayList<>();
    for (Outcome outcome : Outcome.values()) {
      if (outcome.breaksTheBar() && counts.of(outcome) > 0) {
        parts.add(Share.count(counts.of(outcome)) + " " + outcome.id());
      }
    }
    if (counts.latent() > 0) {
      parts.add(Share.count(counts.latent()) + " latent");
    }
    return String.join(", ", parts);
  }
}
