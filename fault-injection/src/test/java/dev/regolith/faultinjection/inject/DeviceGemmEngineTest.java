package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.fault.EvidenceLevel;
import org.junit.jupiter.api.Tag;

@Tag("device-only")
class DeviceGemmEngineTest extends EngineContract {
  DeviceGemmEngineTest() {
    super(InjectionEngines.gemm().on(device(), "", EvidenceLevel.HOST));
  }
}
