package dev.regolith.faultinjection.campaign;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Runs a campaign: controls first, then trials with a control between them now and then. It stops
 * at the first control that fails, since a campaign whose fault-free runs are not right measures
 * nothing.
 *
 * <p>{@link #run()} is called once, by one thread; {@link #stop()} by any.
 */
public final class CampaignRunner {
  private final Engine engine;
  private final CampaignPlan plan;
  private final List<CampaignListener> listeners;
  private final Tally tally;
  private volatile boolean stopRequested;

  /** A campaign that has not begun; each listener hears of each trial and control. */
  public CampaignRunner(Engine engine, CampaignPlan plan, List<CampaignListener> listeners) {
    this.engine = engine;
    this.plan = plan;
    this.tally = new Tally(engine);
    this.listeners = new ArrayList<>(listeners);
    this.listeners.addFirst(tally);
  }

  /** Asks the campaign to end after the trial or control under way. */
  public void stop() {
    stopRequested = true;
  }

  /** Runs to the end, to {@link #stop()}, or to the first control that fails. */
  public CampaignResult run() {
    long start = System.nanoTime();
    List<String> errors = new ArrayList<>();
    boolean sound = true;
    for (int i = 0; i < plan.firstControls() && sound && !stopRequested; i++) {
      sound = controlPasses(errors);
    }
    while (tally.trials() < plan.trials() && sound && !stopRequested) {
      List<TrialRecord> arms = trial(tally.trials());
      listeners.forEach(listener -> listener.trial(arms));
      if (tally.trials() % plan.trialsPerControl() == 0) {
        sound = controlPasses(errors);
      }
    }
    boolean complete = tally.trials() == plan.trials();
    if (complete && plan.everySite() && plan.arms().contains(Arm.CORRECT)) {
      errors.addAll(Coverage.gaps(engine, tally));
    }
    if (complete && plan.arms().contains(Arm.CORRECT)) {
      errors.addAll(Bar.unmet(tally));
    }
    Duration elapsed = Duration.ofNanos(System.nanoTime() - start);
    return new CampaignResult(tally, sound && !complete, errors, elapsed);
  }

  private boolean controlPasses(List<String> errors) {
    ControlRecord control = control(tally.controls());
    listeners.forEach(listener -> listener.control(control));
    if (!control.passed()) {
      errors.add(
          "control %d (%s), a run without a fault, %s: the campaign cannot be trusted and stops%s"
              .formatted(
                  control.index(),
                  control.workload(),
                  control.alarm() ? "raised an alarm" : "is not bit-identical",
                  control.detail().isEmpty() ? "" : " (" + control.detail() + ")"));
    }
    return control.passed();
  }

  // Whatever an engine throws, even an Error from a damaged kernel, ends one trial and not the
  // campaign; the outcome fails the bar, so that nothing is swept under the carpet.
  private ControlRecord control(long index) {
    try {
      return engine.control(index);
    } catch (Throwable e) {
      return new ControlRecord(index, false, false, "unknown workload", "it threw " + e);
    }
  }

  private List<TrialRecord> trial(long index) {
    try {
      List<TrialRecord> arms = engine.trial(index);
      Set<Arm> answered = EnumSet.noneOf(Arm.class);
      arms.forEach(record -> answered.add(record.arm()));
      if (!answered.equals(plan.arms()) || arms.size() != answered.size()) {
        throw new IllegalStateException(
            "expected one record for each of the arms " + plan.arms() + ", got " + arms);
      }
      return arms;
    } catch (Throwable e) {
      return plan.arms().stream().map(arm -> harnessError(index, arm, e)).toList();
    }
  }

  private static TrialRecord harnessError(long index, Arm arm, Throwable thrown) {
    return new TrialRecord(
        index,
        arm,
        "unknown",
        "unknown",
        FaultModel.ONE_BIT,
        "unknown",
        -1,
        "00000000",
        Outcome.HARNESS_ERROR,
        false,
        "the engine threw " + thrown);
  }
}
