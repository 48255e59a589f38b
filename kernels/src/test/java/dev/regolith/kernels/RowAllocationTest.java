package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** In the steady state an operator of rows allocates nothing on the heap, on no thread. */
@Tag("once")
class RowAllocationTest {
  @Test
  void callsAllocateNothing() throws Exception {
    var flags = List.of("-Xbatch", "-XX:CompileThresholdScaling=0.1");
    var cases =
        ForkedJvm.run(flags, RowAllocationWorkout.class).stream()
            .filter(line -> line.contains("thread(s)"))
            .toList();
    assertThat(cases)
        .hasSize(2 * 2 * 3 * RowVariant.values().length)
        .allMatch(line -> line.endsWith(": 0"));
  }
}
