package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.FreshLaunch.Launch;
import dev.regolith.kernels.FreshLaunch.Verdict;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** That the launch benchmark measures at all and judges right; its figures are not for a suite. */
@Tag("once")
class FreshLaunchTest {
  @Test
  void aLaunchReportsItsScore() throws Exception {
    var lines = ForkedJvm.run(List.of(), FreshLaunch.Child.class, "true", "64", "0.1");
    var launch = Launch.parse(lines);
    assertThat(launch.busy()).isTrue();
    assertThat(launch.score()).isPositive();
  }

  @Test
  void aSlowLaunchMissesTheBar() {
    var fast = new Launch(false, 200, 160);
    assertThat(Verdict.of(List.of(fast, fast, fast)).passed()).isTrue();
    assertThat(Verdict.of(List.of(fast, fast, new Launch(true, 200, 135))).passed()).isFalse();
    assertThat(Verdict.of(List.of(fast, fast, new Launch(true, 100, 80))).shortfall()).isZero();
  }
}
