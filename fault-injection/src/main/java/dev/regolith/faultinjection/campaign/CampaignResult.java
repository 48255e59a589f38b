package dev.regolith.faultinjection.campaign;

import java.time.Duration;
import java.util.List;

/**
 * What a campaign measured.
 *
 * @param tally everything counted
 * @param interrupted whether it was asked to stop before the last trial
 * @param errors why the campaign as a whole cannot be trusted; empty for a sound one
 * @param elapsed the time it took
 */
public record CampaignResult(
    Tally tally, boolean interrupted, List<String> errors, Duration elapsed) {

  public CampaignResult {
    errors = List.copyOf(errors);
  }

  /**
   * Whether the bar is met: a sound campaign, no false alarm, and under protection no silent
   * corruption, no wrong or inexact correction, no crash, no hang, no failure of the harness and
   * nothing left damaged.
   */
  public boolean passed() {
    return errors.isEmpty()
        && tally.falseAlarms() == 0
        && tally.all().arm(Arm.CORRECT).failures() == 0;
  }
}
