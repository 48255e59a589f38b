package dev.regolith.kernels.memory;

/** A seal over a range of a {@link Storage}; what it holds is known further up. */
public interface Watch {
  /** The words under the seal. */
  Range range();

  /** Whether the seal holds now: not while the range is being written. */
  boolean inForce();
}
