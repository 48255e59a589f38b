package dev.regolith.jmh.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class EstimateTest {
  @Example
  void sixLaunchesAreTheFewestForAnInterval() {
    assertThat(Estimate.coverage(1)).isZero();
    assertThat(Estimate.coverage(5)).isCloseTo(0.9375, within(1e-12));
    assertThat(Estimate.coverage(6)).isCloseTo(0.96875, within(1e-12));
  }

  @Example
  void fewLaunchesGiveTheirRange() {
    assertThat(Estimate.of(3, 1, 2)).isEqualTo(new Estimate(2, 1, 3, 3));
    assertThat(Estimate.of(7)).isEqualTo(new Estimate(7, 7, 7, 1));
  }

  @Example
  void manyLaunchesDropTheExtremes() {
    // The textbook's interval of 15 values: from the 4th to the 12th.
    double[] values = new SplittableRandom(1).doubles(15).toArray();
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    assertThat(Estimate.of(values)).isEqualTo(new Estimate(sorted[7], sorted[3], sorted[11], 15));
  }

  @Example
  void theIntervalHoldsTheTrueMedianAsOftenAsItSays() {
    var random = new SplittableRandom(2);
    int held = 0;
    int runs = 20_000;
    for (int i = 0; i < runs; i++) {
      // Skewed on purpose: exponential, median ln 2.
      var estimate = Estimate.of(random.doubles(9).map(u -> -Math.log(1 - u)).toArray());
      held += estimate.low() <= Math.log(2) && Math.log(2) <= estimate.high() ? 1 : 0;
    }
    assertThat((double) held / runs).isCloseTo(Estimate.coverage(9), within(0.005));
  }

  @Property(tries = 200)
  void theMedianLiesInside(
      @ForAll @Size(min = 1, max = 40) List<@DoubleRange(min = 0.1, max = 2) Double> launches) {
    var estimate = Estimate.of(launches.stream().mapToDouble(v -> v).toArray());
    assertThat(estimate.low()).isLessThanOrEqualTo(estimate.median());
    assertThat(estimate.high()).isGreaterThanOrEqualTo(estimate.median());
    assertThat(estimate.launches()).isEqualTo(launches.size());
  }

  @Property(tries = 50)
  void fromSixOnItHoldsNinetyFivePercent(@ForAll @IntRange(min = 6, max = 500) int launches) {
    assertThat(Estimate.coverage(launches)).isBetween(0.95, 1.0);
  }

  @Example
  void noLaunchIsRefused() {
    assertThatIllegalArgumentException().isThrownBy(Estimate::of);
  }

  @Example
  void ratiosAreFormedRoundByRound() {
    // The machine slows down by ten in the second half: the ratio does not notice.
    assertThat(
            Medians.ofRatios(
                List.of(100.0, 102.0, 10.0, 9.9, 10.1), List.of(50.0, 51.0, 5.0, 4.95, 5.05)))
        .isCloseTo(2, within(1e-12));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Medians.ofRatios(List.of(1.0), List.of(1.0, 2.0)));
  }
}
