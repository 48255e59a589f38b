package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** In the steady state attention allocates nothing on the heap, on no thread. */
@Tag("once")
class AttentionAllocationTest {
  @Test
  void callsAllocateNothing() throws Exception {
    // Compiled early and in the foreground: what the interpreter boxes is not the steady state.
    var flags = List.of("-Xbatch", "-XX:CompileThresholdScaling=0.1");
    var cases =
        ForkedJvm.run(flags, AttentionAllocationWorkout.class).stream()
            .filter(line -> line.contains("thread(s)"))
            .toList();
    assertThat(cases).hasSize(28).allMatch(line -> line.endsWith(": 0"));
  }
}
