package dev.regolith.jmh.measure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.ceiling.Ceilings;
import dev.regolith.jmh.ceiling.MachineCeilings;
import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.contender.RegolithContender;
import dev.regolith.jmh.contender.Repetition;
import dev.regolith.jmh.contender.Sessions;
import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.kernels.fault.Protection;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Real products of this library beside peers that are none. */
class RowBenchTest {
  private static final Ceilings ROOF =
      new Ceilings() {
        @Override
        public double fmaPeak(int threads, long nanos) {
          return 1e11 * threads;
        }

        @Override
        public double readBandwidth(int threads) {
          return 1e10;
        }
      };

  /** A peer that takes this library's result and does something to it. */
  private record Forger(String name, Sessions sessions, UnaryOperator<float[]> forge)
      implements Contender {
    @Override
    public Impl impl() {
      return Impl.peer(name);
    }

    @Override
    public List<Way> ways(Row row) {
      Way way = new RegolithContender(sessions, Protection.OFF).ways(row).getFirst();
      return List.of(
          Way.ofAny("one", (r, exercise, arena) -> forged(way.prepare(r, exercise, arena))),
          Way.ofAny("other", (r, exercise, arena) -> forged(way.prepare(r, exercise, arena))));
    }

    private Computation forged(Computation honest) {
      return new Computation() {
        @Override
        public void run() {
          honest.run();
        }

        @Override
        public void spoil() {
          honest.spoil();
        }

        @Override
        public float[] result() {
          return forge.apply(honest.result());
        }
      };
    }
  }

  /** A library without the kernel that is asked for. */
  private record Stranger() implements Contender {
    @Override
    public Impl impl() {
      return Impl.peer("stranger");
    }

    @Override
    public List<Way> ways(Row row) {
      return List.of();
    }
  }

  private static float[] bump(float[] result) {
    result[result.length - 1] += 1;
    return result;
  }

  private static float[] fail(float[] result) {
    throw new IllegalStateException("no licence");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 17, 33, 40, FRESH",
    "1, 17, 33, 40, PACKED",
    "3, 8, 8, 8, FRESH",
    "1, 1, 64, 64, PACKED"
  })
  void whoIsRightIsTimedAndWhoIsWrongIsOut(int batch, int m, int k, int n, Operands operands) {
    var shape = new Shape(batch, m, k, n);
    var row = new Row(Group.SMALL, shape, operands, 2);
    try (var sessions = new Sessions()) {
      RowSamples samples =
          new RowBench(ROOF, Pace.TINY)
              .measure(
                  row,
                  List.of(
                      new RegolithContender(sessions, Protection.OFF),
                      new RegolithContender(sessions, Protection.CORRECT),
                      new Forger("honest", sessions, result -> result),
                      new Forger("liar", sessions, RowBenchTest::bump),
                      new Forger("quitter", sessions, RowBenchTest::fail),
                      Repetition.twice(sessions),
                      Repetition.vote(sessions)));
      assertThat(samples.racers())
          .extracting(RowSamples.Sample::impl)
          .containsExactly(Impl.OFF, Impl.CORRECT, Impl.peer("honest"), Impl.TWICE, Impl.VOTE);
      assertThat(samples.failures())
          .extracting(failure -> failure.impl().name())
          .containsExactly("liar", "quitter");
      assertThat(samples.failures().getFirst().reason()).contains("wrong result");
      assertThat(samples.failures().getLast().reason()).contains("no licence");
      int rounds = samples.fmaPeak().size();
      assertThat(rounds).isBetween(2, 3);
      assertThat(samples.readBandwidth()).isEmpty();
      assertThat(samples.racers())
          .allMatch(sample -> sample.callsPerSecond().size() == rounds)
          .allMatch(sample -> sample.callsPerSecond().stream().allMatch(rate -> rate > 0));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2x4/2x9x20x16-causal", "4x1x64x32"})
  void attentionsAreHeldAgainstTheirOwnEnvelope(String sizes) {
    var shape = AttentionShape.parse(sizes);
    var row = new Row(Group.of(shape), shape, shape.operands(), 2);
    try (var sessions = new Sessions()) {
      RowSamples samples =
          new RowBench(ROOF, Pace.TINY)
              .measure(
                  row,
                  List.of(
                      new RegolithContender(sessions, Protection.OFF),
                      new RegolithContender(sessions, Protection.CORRECT),
                      new Forger("liar", sessions, RowBenchTest::bump),
                      new Stranger(),
                      Repetition.twice(sessions)));
      assertThat(samples.racers())
          .extracting(RowSamples.Sample::impl)
          .containsExactly(Impl.OFF, Impl.CORRECT, Impl.TWICE);
      assertThat(samples.failures())
          .singleElement()
          .matches(failure -> failure.impl().name().equals("liar"))
          .matches(failure -> failure.reason().contains("wrong result"));
      assertThat(samples.readBandwidth().isEmpty()).isEqualTo(shape.queries() > 1);
    }
  }

  @Test
  void decodeRowsHaveTheMemoryBesideThem() {
    var row = new Row(Group.DECODE, new Shape(1, 2048, 2048), Operands.PACKED, 1);
    try (var sessions = new Sessions()) {
      RowSamples samples =
          new RowBench(ROOF, Pace.TINY)
              .measure(row, List.of(new RegolithContender(sessions, Protection.OFF)));
      assertThat(samples.failures()).isEmpty();
      assertThat(samples.readBandwidth()).hasSameSizeAs(samples.fmaPeak());
    }
  }

  @Test
  void theMachineHasCeilings() {
    try (var ceilings = new MachineCeilings()) {
      assertThat(ceilings.fmaPeak(2, 1_000_000)).isPositive();
      assertThat(ceilings.readBandwidth(2)).isPositive();
    }
  }
}
