package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What passed is not looked at again, until a device was retired. */
@Tag("once")
class TrialTest {
  private final Object question = new Object();
  private final AtomicInteger looks = new AtomicInteger();

  private boolean passes(boolean right) {
    return Trial.passes(
        question,
        () -> {
          looks.incrementAndGet();
          return right;
        });
  }

  @Test
  void whatPassedIsRemembered() {
    assertThat(passes(true)).isTrue();
    assertThat(passes(true)).isTrue();
    assertThat(looks).hasValue(1);
  }

  @Test
  void whatFailedIsNot() {
    assertThat(passes(false)).isFalse();
    assertThat(passes(true)).isTrue();
    assertThat(looks).hasValue(2);
  }

  @Test
  void whatIsForgottenIsLookedAtAgain() {
    passes(true);
    Trial.forget();
    passes(true);
    assertThat(looks).hasValue(2);
  }

  /** A verdict under way when a device is retired does not outlive that. */
  @Test
  void whatIsForgottenMeanwhileIsNotRemembered() {
    assertThat(
            Trial.passes(
                question,
                () -> {
                  Trial.forget();
                  return true;
                }))
        .isTrue();
    passes(true);
    assertThat(looks).hasValue(1);
  }
}
