package dev.regolith.jmh.measure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.contender.Computation;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class RaceTest {
  private static final long MILLI = 1_000_000;

  /** Time that passes when somebody computes, and not otherwise. */
  private long now;

  private static Pace pace(long rowMillis, int least, int most) {
    return new Pace("test", 10 * MILLI, rowMillis * MILLI, least, most, 30 * MILLI, 1000 * MILLI);
  }

  @Property(tries = 60)
  void everybodyHasOneTurnARoundAndAllPlacesInTheEnd(
      @ForAll @IntRange(min = 1, max = 12) int contenders) {
    var placesOfFirst = new HashSet<Integer>();
    for (int round = 0; round < 2 * contenders; round++) {
      int[] order = Turns.of(round, contenders);
      assertThat(order).containsExactlyInAnyOrder(IntStream.range(0, contenders).toArray());
      placesOfFirst.add(
          IntStream.range(0, contenders).filter(i -> order[i] == 0).findFirst().orElseThrow());
    }
    assertThat(placesOfFirst).hasSize(contenders);
  }

  @Example
  void neighboursChange() {
    assertThat(Turns.of(0, 4)).containsExactly(0, 1, 2, 3);
    assertThat(Turns.of(1, 4)).containsExactly(3, 2, 1, 0);
    assertThat(Turns.of(2, 4)).containsExactly(1, 2, 3, 0);
  }

  private Racer racer(int name, List<Integer> turns) {
    return () -> {
      now += 10 * MILLI;
      turns.add(name);
      return name + turns.size() / 1000.0;
    };
  }

  @Example
  void turnsAreTakenRoundByRound() {
    var turns = new ArrayList<Integer>();
    double[][] rates =
        new Race(pace(1, 3, 9), () -> now).run(List.of(racer(0, turns), racer(1, turns)));
    assertThat(turns).containsExactly(0, 1, 1, 0, 1, 0);
    assertThat(rates[0]).containsExactly(0.001, 0.004, 0.006);
    assertThat(rates[1]).containsExactly(1.002, 1.003, 1.005);
  }

  @Example
  void timeDecidesHowManyRounds() {
    var turns = new ArrayList<Integer>();
    assertThat(new Race(pace(100, 3, 50), () -> now).run(List.of(racer(0, turns)))[0]).hasSize(10);
    assertThat(new Race(pace(100, 3, 5), () -> now).run(List.of(racer(0, turns)))[0]).hasSize(5);
    assertThat(new Race(pace(1, 3, 5), () -> now).run(List.of(racer(0, turns)))[0]).hasSize(3);
  }

  /** A call takes what the function says of its number. */
  private final class Slowing implements Computation {
    private final java.util.function.IntToLongFunction nanos;
    private int calls;

    Slowing(java.util.function.IntToLongFunction nanos) {
      this.nanos = nanos;
    }

    @Override
    public void run() {
      now += nanos.applyAsLong(calls++);
    }

    @Override
    public void spoil() {}

    @Override
    public float[] result() {
      return new float[0];
    }
  }

  @Example
  void aTurnLastsASliceOrOneCall() {
    var quick = new Slowing(_ -> MILLI);
    var timed = new Timed(quick, 10 * MILLI, () -> now);
    assertThat(timed.turn()).isEqualTo(1000);
    assertThat(quick.calls).isEqualTo(1 + 10);
    timed.turn();
    assertThat(quick.calls).as("a lead-in and ten").isEqualTo(11 + 11);
    var slow = new Slowing(_ -> 500 * MILLI);
    timed = new Timed(slow, 10 * MILLI, () -> now);
    timed.turn();
    assertThat(timed.turn()).isEqualTo(2);
    assertThat(slow.calls).isEqualTo(3);
  }

  @Example
  void warmUpWaitsForSpeedAndForTheCompiler() {
    var warm =
        new Timed(new Slowing(call -> call < 100 ? 4 * MILLI : MILLI), 10 * MILLI, () -> now);
    long[] compiled = {0};
    var patient = new WarmUp(pace(1, 1, 1), () -> now, () -> compiled[0]);
    assertThat(patient.run(warm, 30 * MILLI)).isTrue();
    // HotSpot never rests: not steady, and over when time is up.
    long start = now;
    var restless = new WarmUp(pace(1, 1, 1), () -> now, () -> compiled[0] += 5);
    assertThat(restless.run(warm, 30 * MILLI)).isFalse();
    assertThat(now - start).isBetween(1000 * MILLI, 1100 * MILLI);
  }
}
