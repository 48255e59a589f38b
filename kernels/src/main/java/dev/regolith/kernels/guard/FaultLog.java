package dev.regolith.kernels.guard;

import dev.regolith.kernels.fault.CallListener;
import dev.regolith.kernels.fault.CallReport;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.FaultCounters;
import dev.regolith.kernels.fault.FaultEvent;
import dev.regolith.kernels.fault.FaultListener;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Where calls and incidents are told of. Of calls, counters and the session's listener to them
 * hear; of incidents counters, a flight-recorder event, the system logger (once per kind of
 * resolution), and the session's listener. Thread-safe.
 */
public final class FaultLog {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels.fault");

  private final FaultListener listener;
  private final @Nullable CallListener callListener;
  private final Set<Resolution> logged = EnumSet.noneOf(Resolution.class);
  private final LongAdder calls = new LongAdder();
  private final LongAdder byDevice = new LongAdder();
  private final LongAdder checks = new LongAdder();
  private final LongAdder refined = new LongAdder();
  private final LongAdder corrected = new LongAdder();
  private final LongAdder refuted = new LongAdder();
  private final LongAdder detected = new LongAdder();
  private final LongAdder uncorrectable = new LongAdder();
  private final LongAdder duplicated = new LongAdder();

  /** A log for one session. */
  public FaultLog(FaultListener listener, @Nullable CallListener callListener) {
    this.listener = listener;
    this.callListener = callListener;
  }

  /** Counts a protected call. */
  public void call() {
    calls.increment();
  }

  /** Takes what became of a protected call. */
  public void called(String operator, Status status, EvidenceLevel evidence) {
    if (evidence == EvidenceLevel.DEVICE) {
      byDevice.increment();
    }
    if (callListener != null) {
      callListener.called(new CallReport(operator, status, evidence));
    }
  }

  /** Counts compared evidence. */
  public void checks(long count) {
    checks.add(count);
  }

  /** Counts a check whose tolerance was worked out exactly. */
  public void refined() {
    refined.increment();
  }

  /** Counts check blocks that were verified by computing them twice. */
  public void duplicated(long count) {
    duplicated.add(count);
  }

  /** Takes an incident. */
  public void report(FaultReport report) {
    switch (report.resolution()) {
      case CORRECTED -> corrected.increment();
      case EVIDENCE_REFUTED -> refuted.increment();
      case DETECTED -> detected.increment();
      case UNCORRECTABLE -> uncorrectable.increment();
    }
    FaultEvent.commit(report);
    boolean firstOfItsKind;
    synchronized (logged) {
      firstOfItsKind = logged.add(report.resolution());
    }
    if (firstOfItsKind) {
      LOGGER.log(
          System.Logger.Level.WARNING,
          () ->
              report.summary()
                  + " (logged once per kind; later ones go to the listener, the counters and the"
                  + " flight recorder)");
    }
    listener.fault(report);
  }

  /** The counters now. */
  public FaultCounters counters() {
    return new FaultCounters(
        calls.sum(),
        byDevice.sum(),
        checks.sum(),
        refined.sum(),
        corrected.sum(),
        refuted.sum(),
        detected.sum(),
        uncorrectable.sum(),
        duplicated.sum());
  }
}
