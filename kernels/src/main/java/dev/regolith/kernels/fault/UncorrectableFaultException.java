package dev.regolith.kernels.fault;

import java.io.Serial;

/** A result could not be verified nor reproduced; its doubtful blocks were filled with NaN. */
public final class UncorrectableFaultException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  private final transient FaultReport report;

  /** Carries the report. */
  public UncorrectableFaultException(FaultReport report, String hint) {
    super(report.summary() + hint);
    this.report = report;
  }

  /** What was found and tried. */
  public FaultReport report() {
    return report;
  }
}
