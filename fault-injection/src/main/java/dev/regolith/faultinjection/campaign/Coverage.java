package dev.regolith.faultinjection.campaign;

import java.util.ArrayList;
import java.util.List;

/**
 * Finds the sites and windows that no fault reached: a campaign that never hits a buffer proves
 * nothing about it.
 *
 * <p>An engine draws sites evenly, and the windows of a site evenly. A window is therefore expected
 * {@code trials / (sites * windows of the site)} times, and its absence is called an error once
 * that is at least {@value #ENOUGH}: by chance it would happen less than once in e^16 = 9 million
 * campaigns. Shorter campaigns are not judged.
 */
final class Coverage {
  /** The expected hits from which none at all is no accident. */
  static final int ENOUGH = 16;

  private Coverage() {}

  /** One sentence per site or window without an injection in arm {@link Arm#CORRECT}. */
  static List<String> gaps(Engine engine, Tally tally) {
    List<String> gaps = new ArrayList<>();
    List<String> sites = engine.sites();
    double expectedPerSite = (double) tally.trials() / sites.size();
    for (String site : sites) {
      List<String> windows = engine.windows(site);
      Tally.Site hits = tally.site(site);
      if (expectedPerSite < ENOUGH) {
        continue;
      }
      if (missed(hits.all())) {
        gaps.add(neverHit(site));
      } else if (expectedPerSite / windows.size() >= ENOUGH) {
        windows.stream()
            .filter(window -> missed(hits.window(window)))
            .map(window -> "window '%s' of ".formatted(window) + neverHit(site))
            .forEach(gaps::add);
      }
    }
    return gaps;
  }

  private static boolean missed(Cell cell) {
    return cell.arm(Arm.CORRECT).injected() == 0;
  }

  private static String neverHit(String site) {
    return "site '%s' was never hit in arm correct".formatted(site);
  }
}
