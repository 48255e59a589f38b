package dev.regolith.faultinjection.campaign;

/** Makes records whose details do not matter. */
final class Trials {
  private Trials() {}

  static TrialRecord of(long index, Arm arm, Outcome outcome, boolean latent) {
    return of(index, arm, FaultModel.ONE_BIT, 7, outcome, latent);
  }

  static TrialRecord of(
      long index, Arm arm, FaultModel model, int bit, Outcome outcome, boolean latent) {
    return new TrialRecord(
        index, arm, "a", "before-call", model, "fake", bit, "00000080", outcome, latent, "");
  }
}
