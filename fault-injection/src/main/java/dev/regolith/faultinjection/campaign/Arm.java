package dev.regolith.faultinjection.campaign;

/** The protection under which a fault is injected; every fault is injected once per arm. */
public enum Arm {
  /** No protection: what the upset does when nobody looks. */
  OFF("off"),
  /** Verified, repaired, or an exception. */
  CORRECT("correct");

  private final String id;

  Arm(String id) {
    this.id = id;
  }

  /** The name used in files, tables and on the command line. */
  public String id() {
    return id;
  }
}
