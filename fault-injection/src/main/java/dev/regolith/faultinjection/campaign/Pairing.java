package dev.regolith.faultinjection.campaign;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What became, under protection, of the faults that silently corrupt an unprotected result.
 *
 * <p>A trial enters the pairing if its twin in arm {@link Arm#OFF} is {@link Outcome#SDC} and
 * something was injected in arm {@link Arm#CORRECT} too: a site that exists in one arm only has no
 * twin.
 */
public final class Pairing {
  private final Map<Outcome, Long> byTwin = new EnumMap<>(Outcome.class);
  private long sdcOff;

  void add(List<TrialRecord> arms) {
    Outcome off = Outcome.NOT_INJECTED;
    Outcome correct = Outcome.NOT_INJECTED;
    for (TrialRecord trial : arms) {
      switch (trial.arm()) {
        case OFF -> off = trial.outcome();
        case CORRECT -> correct = trial.outcome();
      }
    }
    if (off == Outcome.SDC && correct != Outcome.NOT_INJECTED) {
      sdcOff++;
      byTwin.merge(correct, 1L, Long::sum);
    }
  }

  void add(Pairing other) {
    other.byTwin.forEach((outcome, trials) -> byTwin.merge(outcome, trials, Long::sum));
    sdcOff += other.sdcOff;
  }

  /** The paired trials whose unprotected result was silently wrong. */
  public long sdcOff() {
    return sdcOff;
  }

  /** Those of them that protection corrected, to the bit. */
  public long corrected() {
    return twin(Outcome.CORRECTED);
  }

  /** Those of them that ended this way under protection. */
  public long twin(Outcome outcome) {
    return byTwin.getOrDefault(outcome, 0L);
  }
}
