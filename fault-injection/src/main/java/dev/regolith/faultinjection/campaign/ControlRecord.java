package dev.regolith.faultinjection.campaign;

import java.util.Objects;

/**
 * What a protected run without a fault did.
 *
 * @param index the control; numbered apart from the trials, with inputs of its own
 * @param bitIdentical whether the result has the bits of the unprotected reference
 * @param alarm whether protection reported a fault although there was none
 * @param workload what it computed
 * @param detail what differed or what was reported; empty if the control passed
 */
public record ControlRecord(
    long index, boolean bitIdentical, boolean alarm, String workload, String detail) {

  public ControlRecord {
    Objects.requireNonNull(workload, "workload");
    Objects.requireNonNull(detail, "detail");
  }

  /** Whether the run was as if protection were not there. */
  public boolean passed() {
    return bitIdentical && !alarm;
  }
}
