package dev.regolith.jmh.peer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PeerEnvironmentTest {
  @Test
  void whatDistortsIsTakenAway() {
    var environment =
        new HashMap<>(
            Map.of(
                "PATH", "/bin",
                "OPENBLAS_CORETYPE", "Haswell",
                "OPENBLAS_L2_SIZE", "512",
                "OMP_NUM_THREADS", "1",
                "MKL_CBWR", "COMPATIBLE",
                "KMP_BLOCKTIME", "infinite",
                "ORT_DISABLE_FLASH_ATTENTION", "1",
                "ATEN_CPU_CAPABILITY", "default",
                "JAVA_TOOL_OPTIONS", "-Xint"));
    PeerEnvironment.clean(environment, Waiting.PASSIVE, "SKYLAKEX");
    assertThat(environment)
        .containsEntry("PATH", "/bin")
        .containsEntry("OPENBLAS_CORETYPE", "SKYLAKEX")
        .containsEntry("KMP_BLOCKTIME", "0")
        .containsEntry("OMP_WAIT_POLICY", "PASSIVE")
        .doesNotContainKeys("OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "MKL_CBWR", "JAVA_TOOL_OPTIONS");
    PeerEnvironment.clean(environment, Waiting.BRIEF, "");
    assertThat(environment)
        .doesNotContainKey("OPENBLAS_CORETYPE")
        .containsEntry("KMP_BLOCKTIME", "50us");
    assertThat(environment)
        .doesNotContainKeys("ORT_DISABLE_FLASH_ATTENTION", "ATEN_CPU_CAPABILITY");
  }

  @Test
  void onnxRuntimeIsToldByOptions() {
    assertThat(Waiting.onnxRuntime(Waiting.PASSIVE.variables()))
        .containsExactly(Map.entry("session.intra_op.allow_spinning", "0"));
    assertThat(Waiting.onnxRuntime(Waiting.BRIEF.variables()))
        .containsEntry("session.intra_op.spin_duration_us", "50")
        .isEqualTo(Waiting.onnxRuntime(Map.of()));
  }
}
