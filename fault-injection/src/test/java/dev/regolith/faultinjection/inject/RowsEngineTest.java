package dev.regolith.faultinjection.inject;

class RowsEngineTest extends EngineContract {
  RowsEngineTest() {
    super(InjectionEngines.rows());
  }
}
