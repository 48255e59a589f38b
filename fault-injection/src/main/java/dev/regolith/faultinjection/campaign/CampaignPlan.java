package dev.regolith.faultinjection.campaign;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/**
 * How much a campaign does.
 *
 * @param trials the faults to try
 * @param arms the arms the engine was opened with
 * @param everySite whether all sites take part, so that one without hits is an error
 * @param firstControls the runs without a fault before the first trial
 * @param trialsPerControl the trials between two runs without a fault
 */
public record CampaignPlan(
    long trials, Set<Arm> arms, boolean everySite, int firstControls, int trialsPerControl) {

  /** Twenty controls first, then one per ten trials. */
  public CampaignPlan(long trials, Set<Arm> arms, boolean everySite) {
    this(trials, arms, everySite, 20, 10);
  }

  public CampaignPlan {
    if (trials < 1 || firstControls < 0 || trialsPerControl < 1 || arms.isEmpty()) {
      throw new IllegalArgumentException(
          "a campaign needs at least one trial and one arm, no negative number of first controls"
              + " and at least one trial per control");
    }
    arms = Collections.unmodifiableSet(EnumSet.copyOf(arms)); // iterates in the order of the enum
  }
}
