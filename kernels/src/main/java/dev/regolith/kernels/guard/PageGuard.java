package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;

/** Reports damage of cached pages that is found where keys are appended or forgotten. */
public final class PageGuard implements KeyValuePages.Damage {
  private static final String OPERATOR = "cache";

  private final FaultLog log;

  /** Reports to a log. */
  public PageGuard(FaultLog log) {
    this.log = log;
  }

  @Override
  public void found(Component component, Mended outcome) {
    if (outcome.syndrome() instanceof Seal.Syndrome.Intact) {
      return;
    }
    var incident = new Incident(OPERATOR);
    incident.step(Step.TRACE);
    incident.find(component, outcome);
    var resolution = outcome.done() ? Resolution.CORRECTED : Resolution.UNCORRECTABLE;
    var report = incident.report(resolution);
    log.report(report);
    if (!outcome.done()) {
      throw new UncorrectableFaultException(report, ". Nothing was appended or forgotten.");
    }
  }
}
