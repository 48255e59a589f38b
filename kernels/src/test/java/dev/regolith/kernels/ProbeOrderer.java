package dev.regolith.kernels;

import org.junit.jupiter.api.ClassOrderer;
import org.junit.jupiter.api.ClassOrdererContext;

/**
 * Leaves the order as it is, and installs the {@link ProbeRelay}: JUnit makes its class orderer
 * while it discovers tests, before any engine runs one.
 */
final class ProbeOrderer implements ClassOrderer {
  /** Called by JUnit, see junit-platform.properties. */
  ProbeOrderer() {
    ProbeRelay.install();
  }

  @Override
  public void orderClasses(ClassOrdererContext context) {}
}
