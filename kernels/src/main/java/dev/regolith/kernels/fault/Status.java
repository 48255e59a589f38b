package dev.regolith.kernels.fault;

/** What a call found. */
public enum Status {
  /** Every check agreed, or a disagreeing one was refuted; the result is right. */
  CLEAN,
  /** Something was damaged and put back; the result is bit for bit what it would have been. */
  CORRECTED,
  /** Something was damaged and left so ({@link Protection#DETECT}); do not use the result. */
  DETECTED;

  /** The worse of this and another. */
  public Status worse(Status other) {
    return compareTo(other) >= 0 ? this : other;
  }
}
