package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Cell;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;

/** The shares that the tables show, the same on the terminal and on the page. */
final class Shares {
  private Shares() {}

  /** Of all upsets, those that silently corrupted the result. */
  static Share sdc(Counts counts) {
    return new Share(counts.of(Outcome.SDC), counts.injected());
  }

  /** Of all upsets, those that were corrected. */
  static Share corrected(Counts counts) {
    return new Share(counts.of(Outcome.CORRECTED), counts.injected());
  }

  /** Of the upsets that silently corrupt the unprotected result, those that were corrected. */
  static Share repaired(Cell cell) {
    return new Share(cell.pairing().corrected(), cell.pairing().sdcOff());
  }

  /** Of all trials that ran, those that no protected arm may show. */
  static Share failed(Counts counts) {
    return new Share(
        counts.failures(),
        Math.max(counts.failures(), counts.total() - counts.of(Outcome.NOT_INJECTED)));
  }
}
