package dev.regolith.jmh.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.measure.RowSamples.Failure;
import dev.regolith.jmh.measure.RowSamples.Sample;
import dev.regolith.jmh.rows.RowSets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WireTest {
  @Test
  void plansArriveAsTheyWereSent() {
    var plan = new LaunchPlan(RowSets.quick(List.of(1, 2)), Set.of("MKL"), true, "quick", 12.5);
    assertThat(Wire.plan(Wire.of(plan))).isEqualTo(plan);
  }

  @Test
  void attentionsArriveAsTheyWereSent() {
    var plan = new LaunchPlan(RowSets.attention(List.of(1)), Set.of(), true, "full", 1e9);
    assertThat(Wire.plan(Wire.of(plan))).isEqualTo(plan);
  }

  @Test
  void eventsArriveAsTheyWereSent() {
    var row = RowSets.quick(List.of(1)).getFirst();
    var samples =
        new RowSamples(
            row,
            List.of(new Sample(Impl.CORRECT, "a way", List.of(1.5, 2.5))),
            List.of(1e11, 2e11),
            List.of(),
            List.of(new Failure(Impl.peer("MKL"), "no \"licence\"\n")));
    for (LaunchEvent event :
        List.of(
            new LaunchEvent.Began(Map.of("a", "b"), Map.of("p", "1"), Map.of("q", "gone")),
            new LaunchEvent.RowBegan(row),
            new LaunchEvent.RowEnded(samples),
            new LaunchEvent.RowFailed(row, "why"),
            new LaunchEvent.Speed("0.3", 250),
            new LaunchEvent.Cold(new ColdStart(1024, 1, 0.1, 0.2, 0.3, 100)))) {
      String line = Wire.line(event);
      assertThat(line).doesNotContain("\n");
      assertThat(Wire.event(line)).contains(event);
    }
    assertThat(Wire.event("INTEL MKL WARNING: something")).isEmpty();
  }

  @Test
  void theFirstSecondsAreReadOffTheEndsOfCalls() {
    // Ten calls of a second, then forty of a tenth.
    var ends = new double[50];
    for (int i = 0; i < ends.length; i++) {
      ends[i] = (i == 0 ? 0 : ends[i - 1]) + (i < 10 ? 1 : 0.1);
    }
    double steady = ColdRun.steady(ends);
    assertThat(steady).isBetween(0.099, 0.101);
    // The median of five calls is fast when three of them are: calls 8 to 12.
    assertThat(ColdRun.secondsTo(ends, steady / 0.9)).isBetween(7.9, 8.1);
  }
}
