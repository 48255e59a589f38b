package dev.regolith.kernels.fault;

/** Steps of the ladder that a fault was walked up. */
public enum Step {
  /** The seals of everything that was read were verified, and damage put back. */
  TRACE,
  /** Blocks were computed again from their sources. */
  RECOMPUTE,
  /** Blocks were computed by the scalar twin and compared bit for bit. */
  TWIN,
  /** Blocks could not be reproduced and were poisoned with NaN. */
  GIVE_UP
}
