package dev.regolith.faultinjection.inject;

class GemmEngineTest extends EngineContract {
  GemmEngineTest() {
    super(InjectionEngines.gemm());
  }
}
