package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.CampaignResult;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Pairing;
import dev.regolith.faultinjection.campaign.Tally;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * A campaign that ended, with everything its reports say.
 *
 * @param workload the kind of computation that was struck
 * @param seed what it was seeded with
 * @param trialsAsked the trials that were asked for; fewer were done if it was interrupted
 * @param arms the arms it ran
 * @param configuration what decided protection, as the engine states it
 * @param result what was measured
 * @param reproduce the command that runs it again
 * @param machine where it ran
 */
public record Summary(
    String workload,
    long seed,
    long trialsAsked,
    Set<Arm> arms,
    Map<String, Object> configuration,
    CampaignResult result,
    String reproduce,
    Machine machine) {

  public Summary {
    arms = Collections.unmodifiableSet(EnumSet.copyOf(arms)); // iterates in the order of the enum
    configuration = Collections.unmodifiableMap(new LinkedHashMap<>(configuration));
  }

  Tally tally() {
    return result.tally();
  }

  Counts counts(Arm arm) {
    return tally().all().arm(arm);
  }

  Pairing pairing() {
    return tally().all().pairing();
  }

  boolean ran(Arm arm) {
    return arms.contains(arm);
  }

  boolean paired() {
    return ran(Arm.OFF) && ran(Arm.CORRECT);
  }
}
