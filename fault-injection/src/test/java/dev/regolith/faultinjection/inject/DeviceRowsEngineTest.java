package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.fault.EvidenceLevel;
import org.junit.jupiter.api.Tag;

@Tag("device-only")
class DeviceRowsEngineTest extends EngineContract {
  DeviceRowsEngineTest() {
    super(InjectionEngines.rows().on(device(), "", EvidenceLevel.HOST));
  }
}
