package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.HostileStatistics.Hostile;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Hostile but clean data destroys no result. {@code -Ddev.regolith.kernels.hostileChecks=500000}
 * makes it ten million checks in all; {@link HostileStatistics#main} prints the table of
 * docs/numerics.md.
 */
@Tag("once")
class HostileStatisticsTest {
  private static final long CHECKS = Long.getLong("dev.regolith.kernels.hostileChecks", 10_000);
  private static final long REFUTED_BLOCKS = 50;

  static List<Hostile> all() {
    return HostileStatistics.all();
  }

  @ParameterizedTest
  @MethodSource("all")
  void noResultIsDestroyed(Hostile hostile) {
    var result = HostileStatistics.run(hostile, CHECKS, REFUTED_BLOCKS, 20_25);
    assertThat(result.checks() >= CHECKS || result.refutedBlocks() >= REFUTED_BLOCKS).isTrue();
    if (hostile.insideModel()) {
      assertThat(result.refutedBlocks()).as("false alarms inside the rounding model").isZero();
    }
  }

  /** The kinds outside the model do raise alarms: the ladder's third step is exercised here. */
  @Test
  void overflowIsRefuted() {
    var overflow = all().getLast();
    assertThat(HostileStatistics.run(overflow, CHECKS, 1, 1).refutedBlocks()).isPositive();
  }
}
