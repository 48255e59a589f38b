package dev.regolith.kernels.fault;

/** What a session does about faults. */
public enum Protection {
  /** Verify, trace, repair, recompute; throw what cannot be put right. The default. */
  CORRECT,
  /** Verify and report; leave the result and everything else as it is; throw nothing. */
  DETECT,
  /** Compute only: no evidence, no seals. */
  OFF
}
