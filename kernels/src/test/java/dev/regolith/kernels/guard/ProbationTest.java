package dev.regolith.kernels.guard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class ProbationTest {
  private static final long SECOND = 1_000_000_000L;

  /** Close to where times wrap. */
  private long now = Long.parseLong("9223372036000000000");

  private Probation probation(int incidents, Duration within) {
    return new Probation(incidents, within, () -> now);
  }

  private boolean failsAfter(Probation probation, long seconds) {
    now += seconds * SECOND;
    return probation.fails();
  }

  @Test
  void soManyWithinTheTime() {
    var probation = probation(3, Duration.ofSeconds(10));
    assertThat(failsAfter(probation, 0)).isFalse();
    assertThat(failsAfter(probation, 5)).isFalse();
    assertThat(failsAfter(probation, 5)).isTrue();
    assertThat(failsAfter(probation, 0)).isTrue();
  }

  @Test
  void whatIsLongAgoDoesNotCount() {
    var probation = probation(3, Duration.ofSeconds(10));
    for (int i = 0; i < 20; i++) {
      assertThat(failsAfter(probation, 6)).isFalse();
    }
    assertThat(failsAfter(probation, 0)).isTrue();
  }

  @Test
  void theFirstCanBeOneTooMany() {
    assertThat(probation(1, Duration.ZERO).fails()).isTrue();
  }

  @Test
  void neverMeansNever() {
    var probation = probation(Probation.NEVER, Duration.ofDays(1));
    for (int i = 0; i < 1000; i++) {
      assertThat(probation.fails()).isFalse();
    }
  }

  @Test
  void forEver() {
    var probation = probation(2, ChronoUnit.FOREVER.getDuration());
    assertThat(failsAfter(probation, 0)).isFalse();
    assertThat(failsAfter(probation, 1_000_000)).isTrue();
  }
}
