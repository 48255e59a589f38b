package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.scalar.ScalarGemm;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Attention with every tile that the device at hand, or a GPU, may be given. */
@Tag("device-only")
class AttentionTileTest {
  private static final int PANEL = 16;

  static Stream<GemmTile> tiles() {
    DeviceInfo device = TestDevice.device().info();
    // PoCL takes minutes to compile the larger groups.
    long largest = device.kind() == DeviceInfo.Kind.GPU ? device.workGroup() : 32;
    return Stream.concat(
        GemmTile.candidates(device, PANEL).stream().filter(tile -> tile.group() == 1),
        GemmTile.OF_ATTENTION.stream().filter(tile -> tile.group() <= largest));
  }

  @ParameterizedTest
  @MethodSource("tiles")
  void bits(GemmTile tile) {
    var host = new ScalarGemm();
    int tiles = tile.group() == 1 ? 3 : 1; // so few that columns of values are cut into parts
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var program = AttentionProgram.compile(context, tile, host.panelColumns(), tiles);
        var sample = new SampleAttention(host)) {
      assertThat(sample.isRight(context, program)).isTrue();
    }
  }
}
