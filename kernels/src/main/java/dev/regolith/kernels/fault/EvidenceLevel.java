package dev.regolith.kernels.fault;

/**
 * Who makes the evidence that a result of an accelerator is accepted on. The host compares it
 * always; what computes on the host has evidence of the host.
 */
public enum EvidenceLevel {
  /** The host, from words that it has itself: its own, or those that it fetches. */
  HOST,
  /**
   * The accelerator, from words that the host verifies by exact sums; so operands and results can
   * stay there. Of products it predicts, in double precision; of attention and rows it makes the
   * evidence at either level. A kernel that computes wrongly is seen, unless the one that predicts,
   * or repeats, errs in the same way.
   */
  DEVICE;

  private static final String PROPERTY = "dev.regolith.kernels.evidence";

  /** What {@code -Ddev.regolith.kernels.evidence} names, {@link #HOST} without it. */
  public static EvidenceLevel preferred() {
    String name = System.getProperty(PROPERTY, HOST.name());
    for (EvidenceLevel each : values()) {
      if (each.name().equalsIgnoreCase(name)) {
        return each;
      }
    }
    throw new IllegalStateException("-D" + PROPERTY + " is host or device, not \"" + name + "\"");
  }
}
