package dev.regolith.kernels.backend;

/** A result that fills with an accelerator, before it is a tensor's; or never is. */
public interface ResidentResult {
  /** Something of it was computed elsewhere: it is not whole. */
  void spoil();

  /** Whether all of it was computed where it is. */
  boolean isWhole();

  /**
   * Makes it the tensor's, if it is whole.
   *
   * @param only whether the words are nowhere else
   * @return whether it is the tensor's; if not, its memory was given back
   */
  boolean keep(boolean only);

  /** Gives its memory back, unless it is the tensor's. */
  void discard();
}
