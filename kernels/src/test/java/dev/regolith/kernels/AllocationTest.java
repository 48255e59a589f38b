package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** In the steady state a call allocates nothing on the heap, on no thread. */
@Tag("once")
class AllocationTest {
  /** Programs that count, and how many cases they have. */
  static Stream<Arguments> workouts() {
    return Stream.of(
        Arguments.of(AllocationWorkout.class, 48),
        Arguments.of(AttentionAllocationWorkout.class, 28),
        Arguments.of(RowAllocationWorkout.class, 2 * 2 * 4 * RowVariant.values().length));
  }

  @ParameterizedTest
  @MethodSource("workouts")
  void callsAllocateNothing(Class<?> workout, int count) throws Exception {
    // Compiled early and in the foreground: what the interpreter boxes is not the steady state.
    var flags = List.of("-Xbatch", "-XX:CompileThresholdScaling=0.1");
    var cases =
        ForkedJvm.run(flags, workout).stream().filter(line -> line.contains("thread(s)")).toList();
    assertThat(cases).hasSize(count).allMatch(line -> line.endsWith(": 0"));
  }
}
