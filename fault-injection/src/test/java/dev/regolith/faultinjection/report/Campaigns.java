package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.CampaignListener;
import dev.regolith.faultinjection.campaign.CampaignPlan;
import dev.regolith.faultinjection.campaign.CampaignResult;
import dev.regolith.faultinjection.campaign.CampaignRunner;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.campaign.FakeEngine;
import dev.regolith.faultinjection.campaign.Outcome;
import dev.regolith.faultinjection.campaign.TrialRecord;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Runs made-up campaigns for the tests of this package. */
final class Campaigns {
  static final Set<Arm> BOTH = Set.of(Arm.values());

  private Campaigns() {}

  static FakeEngine engine(Set<Arm> arms) {
    return new FakeEngine(new EngineOptions(7, arms, List.of(), Optional.empty()));
  }

  static Summary passed(int trials) {
    return run(engine(BOTH), trials, BOTH);
  }

  static Summary run(FakeEngine engine, int trials, Set<Arm> arms, CampaignListener... others) {
    var plan = new CampaignPlan(trials, arms, true);
    return summary(engine, new CampaignRunner(engine, plan, List.of(others)).run(), trials, arms);
  }

  static Summary interrupted(Summary summary) {
    CampaignResult result = summary.result();
    return summary(
        engine(summary.arms()),
        new CampaignResult(result.tally(), true, result.errors(), result.elapsed()),
        summary.trialsAsked() * 2,
        summary.arms());
  }

  private static Summary summary(
      FakeEngine engine, CampaignResult result, long trials, Set<Arm> arms) {
    CampaignResult timeless =
        new CampaignResult(
            result.tally(), result.interrupted(), result.errors(), Duration.ofMillis(83_250));
    return new Summary(
        "gemm",
        7,
        trials,
        arms,
        engine.configuration(),
        timeless,
        "./regolith campaign --trials %d --seed 7".formatted(trials),
        new Machine("25+36", "Linux amd64", 2));
  }

  /** Protection that overlooks, spoils or gives up a trial now and then. */
  static TrialRecord spoil(TrialRecord record) {
    if (record.arm() == Arm.OFF || record.outcome() != Outcome.CORRECTED) {
      return record;
    }
    Outcome outcome =
        switch ((int) (record.index() % 100)) {
          case 1, 2, 3 -> Outcome.SDC;
          case 4 -> Outcome.MISCORRECTED;
          case 5, 6 -> Outcome.CORRECTED_INEXACT;
          case 7 -> Outcome.CRASH;
          case 8 -> Outcome.HANG;
          case 9, 10, 11, 12, 13, 14 -> Outcome.DETECTED;
          default -> Outcome.CORRECTED;
        };
    return new TrialRecord(
        record.index(),
        record.arm(),
        record.site(),
        record.window(),
        record.faultModel(),
        record.workload(),
        record.bit(),
        record.mask(),
        outcome,
        record.index() % 100 == 15,
        "");
  }
}
