package dev.regolith.faultinjection.campaign;

/**
 * How a trial ended. The constants are declared in the order in which they are decided: the first
 * that matches is the outcome.
 */
public enum Outcome {
  /** The probe was not reached, or the word read back unchanged: nothing was injected. */
  NOT_INJECTED("not_injected", "nothing was changed: the site does not exist here"),
  /** The campaign's own code failed; the trial says nothing about the kernels. */
  HARNESS_ERROR("harness_error", "the campaign itself failed, not the kernels"),
  /** An exception that is not a fault report. A JVM that dies takes the campaign along. */
  CRASH("crash", "the call ended in an unexpected exception"),
  /** The call did not return in time. */
  HANG("hang", "the call did not return in time"),
  /** Thrown, or reported as not corrected: the caller knows not to use the result. */
  DETECTED("detected", "reported as not correctable; the caller knows"),
  /** Nothing was flagged, and the bits are those of a fault-free run. */
  MASKED("masked", "no effect: the result has the right bits"),
  /** Nothing was flagged, and the result lies inside the envelope of any correct product. */
  BENIGN("benign", "not flagged, other bits, but within rounding of the exact result"),
  /** Nothing was flagged, and the result is wrong: silent data corruption. */
  SDC("sdc", "silent data corruption: a wrong result that nobody flagged"),
  /** Claimed to be corrected, and the bits are those of a fault-free run. */
  CORRECTED("corrected", "found and repaired: the result has the right bits"),
  /** Claimed to be corrected, other bits, but inside the envelope. */
  CORRECTED_INEXACT("corrected_inexact", "claimed repaired, other bits, within rounding"),
  /** Claimed to be corrected, and wrong. */
  MISCORRECTED("miscorrected", "claimed repaired, but the result is wrong");

  private final String id;
  private final String meaning;

  Outcome(String id, String meaning) {
    this.id = id;
    this.meaning = meaning;
  }

  /** The name used in files and tables, for example {@code corrected_inexact}. */
  public String id() {
    return id;
  }

  /** What the outcome means, in half a sentence. */
  public String meaning() {
    return meaning;
  }

  /** Whether a fault was really put in, so that the trial counts in a fraction of upsets. */
  public boolean injected() {
    return this != NOT_INJECTED && this != HARNESS_ERROR;
  }

  /** Whether a single such trial in arm {@link Arm#CORRECT} means that protection fell short. */
  public boolean breaksTheBar() {
    return switch (this) {
      case HARNESS_ERROR, CRASH, HANG, SDC, CORRECTED_INEXACT, MISCORRECTED -> true;
      case NOT_INJECTED, DETECTED, MASKED, BENIGN, CORRECTED -> false;
    };
  }
}
