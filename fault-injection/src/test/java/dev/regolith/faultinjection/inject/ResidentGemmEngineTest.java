package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.fault.EvidenceLevel;
import org.junit.jupiter.api.Tag;

@Tag("device-only")
class ResidentGemmEngineTest extends EngineContract {
  ResidentGemmEngineTest() {
    super(InjectionEngines.gemm().on(device(), "", EvidenceLevel.DEVICE));
  }
}
