package dev.regolith.faultinjection.campaign;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a campaign must show beyond the absence of wrong results, in arm {@link Arm#CORRECT}. */
final class Bar {
  /** Share of silently corrupting upsets that must be corrected, and not merely noticed. */
  private static final double CORRECTED = 0.999;

  /** Share of trials of a site that may fail to inject anything. */
  private static final double NOT_INJECTED = 0.01;

  /** Trials of a site from which that share means something. */
  private static final int ENOUGH = 100;

  private Bar() {}

  /** One sentence per condition that is not met. */
  static List<String> unmet(Tally tally) {
    List<String> unmet = new ArrayList<>();
    Pairing pairing = tally.all().pairing();
    if (pairing.corrected() < CORRECTED * pairing.sdcOff()) {
      unmet.add(
          "of %d upsets that silently corrupt the unprotected result only %d were corrected"
              .formatted(pairing.sdcOff(), pairing.corrected()));
    }
    for (Map.Entry<String, Tally.Site> site : tally.sites().entrySet()) {
      Counts counts = site.getValue().all().arm(Arm.CORRECT);
      long missed = counts.of(Outcome.NOT_INJECTED);
      if (counts.total() >= ENOUGH && missed >= NOT_INJECTED * counts.total()) {
        unmet.add(
            "%d of %d trials of site '%s' injected nothing"
                .formatted(missed, counts.total(), site.getKey()));
      }
    }
    return unmet;
  }
}
