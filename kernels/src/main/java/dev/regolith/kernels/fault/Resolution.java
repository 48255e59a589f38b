package dev.regolith.kernels.fault;

/** How an incident ended. */
public enum Resolution {
  /** The damage was put back; the result is bit for bit right. */
  CORRECTED,
  /**
   * A false alarm: an independent computation reproduced the bits that the evidence doubted. Lands
   * here: overflow of finite inputs, and data outside the rounding model of docs/numerics.md.
   */
  EVIDENCE_REFUTED,
  /** Reported and left, as {@link Protection#DETECT} asks. */
  DETECTED,
  /** Could not be put right; the affected blocks hold NaN. */
  UNCORRECTABLE
}
