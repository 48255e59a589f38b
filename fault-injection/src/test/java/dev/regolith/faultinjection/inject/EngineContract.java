package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.campaign.Outcome;
import dev.regolith.faultinjection.campaign.TrialRecord;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What holds for campaigns on any kind of computation. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class EngineContract {
  private final InjectionEngines engines;
  private final Engine engine;

  EngineContract(InjectionEngines engines) {
    this.engines = engines;
    engine = open(engines, List.of());
  }

  /** The backend of the device that tests are about, named as for those of the kernels. */
  static String device() {
    return System.getProperty("test.device", "opencl");
  }

  private static Engine open(InjectionEngines engines, List<String> sites) {
    var options = new EngineOptions(42, EnumSet.allOf(Arm.class), sites, Optional.empty());
    return engines.open(options);
  }

  @AfterAll
  void close() {
    engine.close();
  }

  @Test
  void everyWindowOfEverySiteIsHit() {
    var wanted = new HashSet<String>();
    for (String site : engine.sites()) {
      engine.windows(site).forEach(window -> wanted.add(site + "/" + window));
    }
    for (long index = 0; index < 3000 && !wanted.isEmpty(); index++) {
      for (TrialRecord record : engine.trial(index)) {
        if (record.arm() == Arm.CORRECT && record.outcome() != Outcome.NOT_INJECTED) {
          wanted.remove(record.site() + "/" + record.window());
        }
      }
    }
    assertThat(wanted).isEmpty();
  }

  @Test
  void trialsDoNotDependOnWhatRanBefore() {
    List<TrialRecord> forwards =
        Stream.of(3L, 4L, 5L).flatMap(i -> engine.trial(i).stream()).toList();
    var backwards = new ArrayList<TrialRecord>();
    for (long index = 5; index >= 3; index--) {
      backwards.addAll(0, engine.trial(index));
    }
    try (Engine other = open(engines, List.of())) {
      assertThat(other.trial(4)).isEqualTo(forwards.subList(2, 4));
    }
    assertThat(backwards).isEqualTo(forwards);
  }

  @Test
  void protectionHoldsAndItsAbsenceDoesNot() {
    int silent = 0;
    for (long index = 10_000; index < 10_400; index++) {
      for (TrialRecord record : engine.trial(index)) {
        silent += record.outcome() == Outcome.SDC ? 1 : 0;
        if (record.arm() == Arm.CORRECT) {
          assertThat(record.breaksTheBar()).as(record.toString()).isFalse();
        }
      }
    }
    assertThat(silent).isGreaterThan(50);
  }

  @Test
  void controlsPassWithInputsOfTheirOwn() {
    for (long index = 0; index < 12; index++) {
      assertThat(engine.control(index).passed()).as("control %d", index).isTrue();
    }
  }

  @Test
  void onlyTheSitesAskedFor() {
    List<String> sites = List.of(engine.sites().getFirst(), engine.sites().getLast());
    try (Engine only = open(engines, sites)) {
      for (long index = 0; index < 20; index++) {
        assertThat(only.trial(index)).allMatch(r -> sites.contains(r.site()));
      }
    }
  }

  @Test
  void theConfigurationSaysWhatProtects() {
    assertThat(engine.configuration())
        .containsEntry("protection", "CORRECT")
        .containsKeys("backend", "checkBlock", "kBlock", "toleranceSigmas", "falseAlarm");
  }
}
