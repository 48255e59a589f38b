package dev.regolith.faultinjection.inject;

class AttentionEngineTest extends EngineContract {
  AttentionEngineTest() {
    super(InjectionEngines.attention());
  }
}
