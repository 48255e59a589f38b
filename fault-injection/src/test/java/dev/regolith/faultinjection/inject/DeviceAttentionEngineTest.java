package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.fault.EvidenceLevel;
import org.junit.jupiter.api.Tag;

@Tag("device-only")
class DeviceAttentionEngineTest extends EngineContract {
  DeviceAttentionEngineTest() {
    super(InjectionEngines.attention().on(device(), "", EvidenceLevel.HOST));
  }
}
