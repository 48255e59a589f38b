package dev.regolith.faultinjection.campaign;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CampaignRunnerTest {
  private static final Set<Arm> BOTH = Set.of(Arm.values());

  /** Keeps what it hears, in order: {@code c0} for a control, {@code t0} for a trial. */
  private static final class Log implements CampaignListener {
    final List<String> order = new ArrayList<>();
    final List<TrialRecord> records = new ArrayList<>();

    @Override
    public void trial(List<TrialRecord> arms) {
      order.add("t" + arms.getFirst().index());
      records.addAll(arms);
    }

    @Override
    public void control(ControlRecord control) {
      order.add("c" + control.index());
    }
  }

  private final Log log = new Log();

  private CampaignResult run(Engine engine, long trials) {
    return run(engine, new CampaignPlan(trials, BOTH, true));
  }

  private CampaignResult run(Engine engine, CampaignPlan plan) {
    return new CampaignRunner(engine, plan, List.of(log)).run();
  }

  @Test
  void controlsComeFirstAndThenOnePerTenTrials() {
    CampaignResult result = run(FakeEngine.both(1), 25);
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      expected.add("c" + i);
    }
    for (int i = 0; i < 25; i++) {
      expected.add("t" + i);
      if (i == 9 || i == 19) {
        expected.add("c" + (20 + i / 10));
      }
    }
    assertThat(log.order).isEqualTo(expected);
    assertThat(result.tally().controls()).isEqualTo(22);
    assertThat(result.tally().trials()).isEqualTo(25);
    assertThat(result.passed()).isTrue();
    assertThat(result.interrupted()).isFalse();
  }

  @Test
  void theSameSeedGivesTheSameRecords() {
    run(FakeEngine.both(7), 300);
    List<TrialRecord> first = List.copyOf(log.records);
    log.records.clear();
    run(FakeEngine.both(7), 300);
    assertThat(log.records).isEqualTo(first);
    log.records.clear();
    run(FakeEngine.both(8), 300);
    assertThat(log.records).isNotEqualTo(first);
  }

  @Test
  void aControlWithOtherBitsEndsTheCampaignBeforeAnyTrial() {
    var engine =
        FakeEngine.both(1).control(new ControlRecord(3, false, false, "24x192x64", "word 17"));
    CampaignResult result = run(engine, 100);
    assertThat(log.order).containsExactly("c0", "c1", "c2", "c3");
    assertThat(result.passed()).isFalse();
    assertThat(result.interrupted()).isFalse();
    assertThat(result.errors())
        .singleElement()
        .asString()
        .contains("control 3", "24x192x64", "not bit-identical", "word 17");
  }

  @Test
  void aFalseAlarmEndsTheCampaignAndKeepsWhatWasMeasured() {
    var engine = FakeEngine.both(1).control(new ControlRecord(21, true, true, "24x192x64", ""));
    CampaignResult result = run(engine, 100);
    assertThat(result.tally().trials()).isEqualTo(20);
    assertThat(result.tally().falseAlarms()).isEqualTo(1);
    assertThat(result.passed()).isFalse();
    assertThat(result.errors()).singleElement().asString().contains("control 21", "alarm");
  }

  @Test
  void aControlThatThrowsEndsTheCampaign() {
    Engine engine = new Thrower(FakeEngine.both(1));
    CampaignResult result = run(engine, 100);
    assertThat(result.errors()).singleElement().asString().contains("out of ideas");
    assertThat(log.order).containsExactly("c0");
  }

  /** An engine whose controls throw. */
  private record Thrower(FakeEngine engine) implements Engine {
    @Override
    public List<TrialRecord> trial(long index) {
      return engine.trial(index);
    }

    @Override
    public ControlRecord control(long index) {
      throw new IllegalStateException("out of ideas");
    }

    @Override
    public Map<String, Object> configuration() {
      return engine.configuration();
    }

    @Override
    public List<String> sites() {
      return engine.sites();
    }

    @Override
    public List<String> windows(String site) {
      return engine.windows(site);
    }

    @Override
    public void close() {
      engine.close();
    }
  }

  @Test
  void stoppingKeepsTheTrialUnderWay() {
    CampaignRunner[] runner = new CampaignRunner[1];
    var engine =
        FakeEngine.both(1)
            .before(index -> {
              if (index == 41) {
                runner[0].stop();
              }
            });
    runner[0] = new CampaignRunner(engine, new CampaignPlan(5000, BOTH, true), List.of(log));
    CampaignResult result = runner[0].run();
    assertThat(result.interrupted()).isTrue();
    assertThat(result.tally().trials()).isEqualTo(42);
    assertThat(log.records).hasSize(84);
    assertThat(result.errors()).isEmpty();
  }

  @Test
  void anExceptionOfTheEngineIsAHarnessErrorInEachArm() {
    var engine =
        FakeEngine.both(1)
            .before(index -> {
              if (index == 5) {
                throw new AssertionError("no such buffer");
              }
            });
    CampaignResult result = run(engine, 10);
    assertThat(result.tally().trials()).isEqualTo(10);
    assertThat(result.tally().all().arm(Arm.OFF).of(Outcome.HARNESS_ERROR)).isEqualTo(1);
    assertThat(result.tally().all().arm(Arm.CORRECT).of(Outcome.HARNESS_ERROR)).isEqualTo(1);
    assertThat(result.passed()).isFalse();
    assertThat(log.records.get(10).detail()).contains("no such buffer");
  }

  @Test
  void aTrialWithoutARecordForEachArmIsAHarnessError() {
    var onlyOff = new EngineOptions(1, Set.of(Arm.OFF), List.of(), Optional.empty());
    CampaignResult result = run(new FakeEngine(onlyOff), 3);
    assertThat(result.tally().all().arm(Arm.CORRECT).of(Outcome.HARNESS_ERROR)).isEqualTo(3);
  }

  @Test
  void aSiteWithoutHitsIsAnError() {
    CampaignResult result = run(FakeEngine.both(1).neverHits("packed-b"), 2000);
    assertThat(result.passed()).isFalse();
    assertThat(neverHit(result)).singleElement().asString().contains("site 'packed-b'");
  }

  @Test
  void aWindowWithoutHitsIsAnError() {
    CampaignResult result = run(FakeEngine.both(1).neverHits("a/between-reads"), 2000);
    assertThat(neverHit(result))
        .singleElement()
        .asString()
        .contains("window 'between-reads'", "site 'a'");
  }

  @Test
  void hitsAreNotAskedForWhereTheyCannotBe() {
    assertThat(neverHit(run(FakeEngine.both(1).neverHits("a/between-reads"), 600)))
        .as("too few trials for each window")
        .isEmpty();
    assertThat(neverHit(run(FakeEngine.both(1).neverHits("a"), 150)))
        .as("too few trials for each site")
        .isEmpty();
    var restricted = new EngineOptions(1, BOTH, List.of("a"), Optional.empty());
    var engine = new FakeEngine(restricted).neverHits("a/between-reads");
    assertThat(neverHit(run(engine, new CampaignPlan(2000, BOTH, false))))
        .as("restricted to a site")
        .isEmpty();
    var off = new EngineOptions(1, Set.of(Arm.OFF), List.of(), Optional.empty());
    assertThat(run(new FakeEngine(off), new CampaignPlan(2000, Set.of(Arm.OFF), true)).errors())
        .as("without arm correct")
        .isEmpty();
  }

  private static List<String> neverHit(CampaignResult result) {
    return result.errors().stream().filter(error -> error.contains("never hit")).toList();
  }

  @Test
  void aSiteThatOftenInjectsNothingFailsTheBar() {
    CampaignResult result = run(FakeEngine.both(1).neverHits("a/between-reads"), 2000);
    assertThat(result.errors()).anyMatch(error -> error.contains("site 'a' injected nothing"));
    assertThat(result.passed()).isFalse();
  }

  @Test
  void noticingIsNotCorrecting() {
    var engine =
        FakeEngine.both(1)
            .twist(record ->
                record.arm() == Arm.CORRECT && record.outcome() == Outcome.CORRECTED
                    ? Trials.of(record.index(), Arm.CORRECT, Outcome.DETECTED, false)
                    : record);
    CampaignResult result = run(engine, 1000);
    assertThat(result.errors()).anyMatch(error -> error.contains("only 0 were corrected"));
    assertThat(result.passed()).isFalse();
  }

  @Test
  void silentCorruptionUnderProtectionFailsTheBar() {
    var engine =
        FakeEngine.both(1)
            .twist(record ->
                record.arm() == Arm.CORRECT && record.index() == 4
                    ? Trials.of(4, Arm.CORRECT, Outcome.SDC, false)
                    : record);
    CampaignResult result = run(engine, 10);
    assertThat(result.passed()).isFalse();
    assertThat(result.errors()).isEmpty();
    assertThat(result.tally().all().arm(Arm.CORRECT).failures()).isEqualTo(1);
  }
}
