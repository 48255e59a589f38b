package dev.regolith.jmh.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.peer.Peers;
import dev.regolith.jmh.peer.Waiting;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.kernels.Regolith;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Real JVMs, tiny products, no peer. */
class ChildJvmsTest {
  private static final Row ROW = new Row(Group.SMALL, Shape.cube(24), Operands.PACKED, 1);

  @Test
  void aLaunchMeasuresAndTells() throws LaunchException {
    var events = new ArrayList<LaunchEvent>();
    var plan = new LaunchPlan(List.of(ROW), Set.of(), true, "tiny", 1e9);
    new ChildJvms(Waiting.BRIEF).rows(plan, "", events::add);
    assertThat(events).hasSize(3);
    var began = (LaunchEvent.Began) events.getFirst();
    assertThat(began.absent()).containsOnlyKeys(Peers.names().toArray(String[]::new));
    try (var session = Regolith.open()) {
      assertThat(began.configuration()).isEqualTo(session.configuration());
    }
    var samples = ((LaunchEvent.RowEnded) events.getLast()).samples();
    assertThat(samples.failures()).isEmpty();
    assertThat(samples.racers())
        .extracting(sample -> sample.impl())
        .containsExactly(Impl.OFF, Impl.CORRECT, Impl.TWICE, Impl.VOTE);
  }

  @Test
  void anAttentionIsMeasuredToo() throws LaunchException {
    var events = new ArrayList<LaunchEvent>();
    var shape = AttentionShape.parse("4/2x24x24x16-causal");
    var row = new Row(Group.of(shape), shape, Operands.FRESH, 1);
    var plan = new LaunchPlan(List.of(row), Set.of(), true, "tiny", 1e9);
    new ChildJvms(Waiting.BRIEF).rows(plan, "", events::add);
    var samples = ((LaunchEvent.RowEnded) events.getLast()).samples();
    assertThat(samples.failures()).isEmpty();
    assertThat(samples.row()).isEqualTo(row);
    assertThat(samples.racers())
        .extracting(sample -> sample.impl())
        .containsExactly(Impl.OFF, Impl.CORRECT, Impl.TWICE, Impl.VOTE);
  }

  @Test
  void noRowIsBegunAfterTheTime() throws LaunchException {
    var events = new ArrayList<LaunchEvent>();
    var plan = new LaunchPlan(List.of(ROW), Set.of(), false, "tiny", 0);
    new ChildJvms(Waiting.BRIEF).rows(plan, "", events::add);
    assertThat(events).hasSize(1);
  }

  @Test
  void aBadEndIsExplained() {
    var plan = new LaunchPlan(List.of(ROW), Set.of(), false, "no such pace", 1e9);
    assertThatThrownBy(() -> new ChildJvms(Waiting.BRIEF).rows(plan, "", _ -> {}))
        .isInstanceOf(LaunchException.class)
        .hasMessageContaining("ended with 1")
        .hasMessageContaining("no such pace");
  }

  @Test
  void aColdStartIsMeasured() throws LaunchException {
    ColdStart start = new ChildJvms(Waiting.BRIEF).coldStart(32, 1, 0.05);
    assertThat(start.secondsToFirstResult()).isGreaterThan(start.secondsToOpen());
    assertThat(start.steadyGflops()).isPositive();
  }
}
