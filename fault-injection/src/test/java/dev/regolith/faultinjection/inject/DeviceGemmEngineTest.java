package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("device-only")
class DeviceGemmEngineTest extends EngineContract {
  DeviceGemmEngineTest() {
    super(InjectionEngines.gemm().on("opencl", ""));
  }

  @Test
  void whatNoDeviceComputes() {
    assertThatThrownBy(() -> InjectionEngines.attention().on("opencl", ""))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("only matrix products");
  }
}
