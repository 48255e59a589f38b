package dev.regolith.kernels.backend;

import dev.regolith.kernels.fault.Component;

/** Where a backend hands what it noticed of an attention; it draws no conclusion itself. */
public interface AttentionSink {
  /**
   * A checksum that the inputs predict, and what was found.
   *
   * @param row of the region
   */
  void evidence(
      AttentionProblem problem,
      AttentionRegion region,
      int row,
      double predicted,
      double shown,
      double tolerance);

  /** An exact code, or a second computation, says that something the region used was damaged. */
  void suspect(AttentionProblem problem, AttentionRegion region, Component component);
}
