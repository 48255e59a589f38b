package dev.regolith.faultinjection.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IntervalTest {

  /** The first four rows: Newcombe, Statistics in Medicine 17 (1998), table I, method 5. */
  @ParameterizedTest
  @CsvSource({
    "81, 263, 0.2527, 0.3676",
    "15, 148, 0.0578, 0.1617",
    "0, 20, 0.0000, 0.1684",
    "1, 29, 0.0009, 0.1776",
    "0, 10, 0.0000, 0.3085",
    "1, 10, 0.0025, 0.4450",
    "5, 10, 0.1871, 0.8129",
    "10, 10, 0.6915, 1.0000",
  })
  void agreesWithPublishedValues(int hits, int trials, double low, double high) {
    Interval interval = Interval.of(hits, trials);
    assertThat(interval.low()).isCloseTo(low, within(5e-5));
    assertThat(interval.high()).isCloseTo(high, within(5e-5));
  }

  @Test
  void withoutHitsItIsTheClosedForm() {
    assertThat(Interval.of(0, 20_000).high())
        .isCloseTo(1 - Math.pow(0.025, 1.0 / 20_000), within(1e-12));
  }

  @Property(tries = 200)
  void containsTheShareAndIsSymmetric(
      @ForAll @IntRange(min = 1, max = 5000) int trials, @ForAll @IntRange(max = 5000) int some) {
    int hits = some % (trials + 1);
    Interval interval = Interval.of(hits, trials);
    Interval mirrored = Interval.of(trials - hits, trials);
    assertThat((double) hits / trials).isBetween(interval.low(), interval.high());
    assertThat(interval.low()).isCloseTo(1 - mirrored.high(), within(1e-9));
  }

  @Test
  void withoutTrialsItIsEverything() {
    assertThat(Interval.of(0, 0)).isEqualTo(new Interval(0, 1));
    assertThatThrownBy(() -> Interval.of(2, 1)).isInstanceOf(IllegalArgumentException.class);
  }
}
