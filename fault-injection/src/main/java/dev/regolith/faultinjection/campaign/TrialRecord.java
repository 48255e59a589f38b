package dev.regolith.faultinjection.campaign;

import java.util.Objects;

/**
 * What one fault did in one arm.
 *
 * @param index the trial; with the campaign's seed it determines everything below
 * @param arm the protection it ran under
 * @param site the buffer that was hit, for example {@code packed-b}
 * @param window when it was hit, for example {@code between-k-blocks}
 * @param faultModel what was done to the word
 * @param workload the computation it happened in
 * @param bit the lowest changed bit of the 32-bit word, 0 to 31, or -1 if nothing was changed
 * @param mask the changed bits in hexadecimal
 * @param outcome how it ended
 * @param latent whether persistent state (weights, seals, check vectors, tolerances) was still
 *     damaged after the trial and a following read
 * @param detail anything worth knowing beyond that; empty for the ordinary trial
 */
public record TrialRecord(
    long index,
    Arm arm,
    String site,
    String window,
    FaultModel faultModel,
    String workload,
    int bit,
    String mask,
    Outcome outcome,
    boolean latent,
    String detail) {

  public TrialRecord {
    Objects.requireNonNull(arm, "arm");
    Objects.requireNonNull(site, "site");
    Objects.requireNonNull(window, "window");
    Objects.requireNonNull(faultModel, "faultModel");
    Objects.requireNonNull(workload, "workload");
    Objects.requireNonNull(mask, "mask");
    Objects.requireNonNull(outcome, "outcome");
    Objects.requireNonNull(detail, "detail");
    if (bit < -1 || bit > 31) {
      throw new IllegalArgumentException("bit is -1 or 0 to 31, got " + bit);
    }
  }

  /** Whether this record, in arm {@link Arm#CORRECT}, means that protection fell short. */
  public boolean breaksTheBar() {
    return outcome.breaksTheBar() || latent;
  }
}
