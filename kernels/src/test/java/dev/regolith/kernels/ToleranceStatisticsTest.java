package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.ToleranceStatistics.Inputs;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The tolerance is as tight as docs/numerics.md claims. {@code
 * -Ddev.regolith.kernels.residuals=100000} repeats the full measurement.
 */
@Tag("device")
@Tag("once")
class ToleranceStatisticsTest {
  private static final long CHECKS = Long.getLong("dev.regolith.kernels.residuals", 12_000);

  static Stream<Arguments> cases() {
    return Stream.of(Inputs.values())
        .flatMap(inputs ->
            ToleranceStatistics.DEPTHS.stream().map(depth -> Arguments.of(inputs, depth)));
  }

  @ParameterizedTest(name = "{0}, K = {1}")
  @MethodSource("cases")
  void toleranceIsWithinTenTimesTheLargestCleanResidual(Inputs inputs, int depth) {
    var sample =
        ToleranceStatistics.measure(
            inputs, depth, CHECKS, 31L * depth + inputs.toString().hashCode());
    assertThat(sample.checks()).isGreaterThanOrEqualTo(CHECKS);
    assertThat(sample.alarms()).as("clean checks above their tolerance").isZero();
    assertThat(sample.tightness()).as("largest tolerance / largest residual").isBetween(1.0, 10.0);
    if (inputs == Inputs.NORMAL) {
      assertThat(sample.alwaysFlagged()).as("always flagged, in rms C").isLessThanOrEqualTo(2e-4);
      // Sign and the upper exponent bits carry errors of the order of C itself, or far more.
      assertThat(sample.rate(30)).as("share of flips of bit 30 that are flagged").isEqualTo(1);
    }
  }
}
