package dev.regolith.kernels.guard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class ProbationTest {
  private static final long SECOND = 1_000_000_000L;

  /** Close to where times wrap. */
  private final long origin = Long.parseLong("9223372036000000000");

  @Test
  void soManyWithinTheTime() {
    var probation = new Probation(3, Duration.ofSeconds(10));
    assertThat(probation.fails(origin)).isFalse();
    assertThat(probation.fails(origin + 5 * SECOND)).isFalse();
    assertThat(probation.fails(origin + 10 * SECOND)).isTrue();
  }

  @Test
  void whatIsLongAgoDoesNotCount() {
    var probation = new Probation(3, Duration.ofSeconds(10));
    for (int i = 0; i < 20; i++) {
      assertThat(probation.fails(origin + 6L * i * SECOND)).isFalse();
    }
    assertThat(probation.fails(origin + 6L * 19 * SECOND + 1)).isTrue();
  }

  @Test
  void theFirstCanBeOneTooMany() {
    assertThat(new Probation(1, Duration.ZERO).fails(origin)).isTrue();
  }
}
