package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.backend.device.DeviceInfo.Kind;
import dev.regolith.kernels.backend.device.DeviceInfo.Lack;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Which device computes if several could. */
@Tag("once")
class DeviceChoiceTest {
  private static final Device BROKEN = device("broken", Kind.GPU, "it is broken", Set.of());
  private static final Device FLUSHING = device("flushing", Kind.GPU, "", Set.of(Lack.SUBNORMALS));
  private static final Device CPU = device("cpu", Kind.CPU, "", Set.of());
  private static final Device GPU = device("gpu", Kind.GPU, "", Set.of());

  private static Device device(String name, Kind kind, String hindrance, Set<Lack> lacks) {
    var info = new DeviceInfo(name, "platform", "1", kind, 1, 1, 1, 1, 1, 1, 1, hindrance, lacks);
    return new Device() {
      @Override
      public DeviceInfo info() {
        return info;
      }

      @Override
      public Driver open() {
        throw new AssertionError("nobody asked for it");
      }
    };
  }

  private static Device choose(String words, Device... devices) {
    var api =
        new DeviceApi() {
          @Override
          public String name() {
            return "Test";
          }

          @Override
          public String absence() {
            return "";
          }

          @Override
          public String remedy() {
            return "";
          }

          @Override
          public List<Device> devices() {
            return List.of(devices);
          }

          @Override
          public Set<Experiment> experiments() {
            return Set.of();
          }

          @Override
          public String prelude() {
            return "";
          }
        };
    return new DeviceChoice(api).choose(words);
  }

  @Test
  void anExactGpuIsBest() {
    assertThat(choose("", BROKEN, FLUSHING, CPU, GPU)).isSameAs(GPU);
  }

  @Test
  void exactIsBetterThanFast() {
    assertThat(choose("", BROKEN, FLUSHING, CPU)).isSameAs(CPU);
  }

  @Test
  void betterInexactThanNothing() {
    assertThat(choose("", BROKEN, FLUSHING)).isSameAs(FLUSHING);
  }

  @Test
  void whoNamesOneGetsIt() {
    assertThat(choose("flush", CPU, GPU, FLUSHING)).isSameAs(FLUSHING);
    assertThat(choose("0", CPU, GPU, FLUSHING)).isSameAs(CPU);
  }

  @Test
  void whatCannotBeUsedIsRefused() {
    assertThatThrownBy(() -> choose("broken", BROKEN, CPU))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("it is broken");
    assertThatThrownBy(() -> choose("", BROKEN))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("no Test device is available that sessions can compute on");
  }

  @Test
  void whatIsMissingIsSaid() {
    assertThat(GPU.info().deviation()).isEmpty();
    assertThat(FLUSHING.info().deviation()).isEqualTo("float32 without subnormal numbers");
    var both = device("both", Kind.GPU, "", EnumSet.allOf(Lack.class));
    assertThat(both.info().deviation())
        .isEqualTo("float32 without subnormal numbers and a fused multiply-add");
  }
}
