package dev.regolith.kernels.fault;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** The flight-recorder form of a {@link FaultReport}. */
@Name("dev.regolith.Fault")
@Label("Regolith Fault")
@Description("Damage that a protected operator found")
@Category("Regolith")
@StackTrace(false)
public final class FaultEvent extends Event {
  @Label("Operator")
  String operator;

  @Label("Resolution")
  String resolution;

  @Label("Check blocks in doubt")
  long blocks;

  @Label("Largest residual")
  double residual;

  @Label("Tolerance")
  double tolerance;

  @Label("Findings")
  String findings;

  @Label("Steps")
  String steps;

  private FaultEvent(FaultReport report) {
    operator = report.operator();
    resolution = report.resolution().name();
    blocks = report.blocks();
    var worst = report.worst();
    residual = worst == null ? 0 : worst.residual();
    tolerance = worst == null ? 0 : worst.tolerance();
    findings = report.findings().toString();
    steps = report.steps().toString();
  }

  /** Writes the event, if a recording wants it. */
  public static void commit(FaultReport report) {
    var event = new FaultEvent(report);
    if (event.shouldCommit()) {
      event.commit();
    }
  }
}
