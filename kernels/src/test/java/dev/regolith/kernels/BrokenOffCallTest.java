package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.regolith.kernels.FaultyGemm.Outcome;
import dev.regolith.kernels.FaultyGemm.Variant;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A call that broke off in the middle (a closed arena, say) leaves nothing to the next one. */
@Tag("device")
@Tag("once")
class BrokenOffCallTest {
  private static final Probe.Hook SILENT = (point, memory, offset, rows, rowBytes, stride) -> {};

  static Stream<Arguments> points() {
    return Variant.all()
        .filter(variant -> variant != Variant.SEALED && variant != Variant.SCALAR)
        .flatMap(variant -> variant.points().stream().map(point -> arguments(variant, point)));
  }

  @ParameterizedTest
  @MethodSource("points")
  void theNextCallIsClean(Variant variant, ProbePoint point) {
    try (var gemm = new FaultyGemm(variant, Protection.CORRECT)) {
      Probe.Hook breaksOff =
          (here, memory, offset, rows, rowBytes, stride) -> {
            if (here == point) {
              throw new IllegalCallerException("broken off");
            }
          };
      assertThatThrownBy(() -> gemm.run(breaksOff)).isInstanceOf(IllegalCallerException.class);
      assertThat(gemm.run(SILENT)).isEqualTo(new Outcome(Status.CLEAN, Status.CLEAN, true, true));
      assertThat(gemm.under().reports()).isEmpty();
    }
  }
}
