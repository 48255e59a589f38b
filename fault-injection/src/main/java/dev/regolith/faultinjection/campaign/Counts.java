package dev.regolith.faultinjection.campaign;

import java.util.EnumMap;
import java.util.Map;

/** How the trials of one arm ended. */
public final class Counts {
  private final Map<Outcome, Long> byOutcome = new EnumMap<>(Outcome.class);
  private long total;
  private long injected;
  private long latent;
  private long failures;

  void add(TrialRecord trial) {
    byOutcome.merge(trial.outcome(), 1L, Long::sum);
    total++;
    injected += trial.outcome().injected() ? 1 : 0;
    latent += trial.latent() ? 1 : 0;
    failures += trial.breaksTheBar() ? 1 : 0;
  }

  void add(Counts other) {
    other.byOutcome.forEach((outcome, trials) -> byOutcome.merge(outcome, trials, Long::sum));
    total += other.total;
    injected += other.injected;
    latent += other.latent;
    failures += other.failures;
  }

  /** The trials that ended this way. */
  public long of(Outcome outcome) {
    return byOutcome.getOrDefault(outcome, 0L);
  }

  /** All trials, whether something was injected or not. */
  public long total() {
    return total;
  }

  /** The trials in which a fault was really put in: the denominator of every share of upsets. */
  public long injected() {
    return injected;
  }

  /** The trials after which persistent state was still damaged, whatever their outcome. */
  public long latent() {
    return latent;
  }

  /** The trials that no protected arm may show: {@link TrialRecord#breaksTheBar()}. */
  public long failures() {
    return failures;
  }
}
