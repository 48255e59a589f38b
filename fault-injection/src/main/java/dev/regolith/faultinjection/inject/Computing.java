package dev.regolith.faultinjection.inject;

/** What computes the workloads of a campaign. */
enum Computing {
  /** The CPU. */
  CPU,
  /** A device, whose results come to the host, which predicts them where it can. */
  DEVICE,
  /** A device that makes the evidence as well; what it can keep of operands and results stays. */
  RESIDENT;

  boolean onDevice() {
    return this != CPU;
  }
}
