package dev.regolith.kernels.backend;

import dev.regolith.kernels.fault.Component;

/** Where a backend hands what it noticed of an attention; it draws no conclusion itself. */
public interface AttentionSink {
  /** One that does not listen. */
  AttentionSink DEAF =
      new AttentionSink() {
        @Override
        public void evidence(
            AttentionProblem problem,
            AttentionRegion region,
            int row,
            int rows,
            double[] predicted,
            double[] shown,
            double[] tolerance) {}

        @Override
        public void suspect(
            AttentionProblem problem, AttentionRegion region, Component component) {}
      };

  /**
   * Checksums that the inputs predict, and what was found: one for each of a few rows.
   *
   * @param row the first, of the region
   * @param predicted by row of the region, like the other two
   */
  void evidence(
      AttentionProblem problem,
      AttentionRegion region,
      int row,
      int rows,
      double[] predicted,
      double[] shown,
      double[] tolerance);

  /** What a region is accepted on was made by the accelerator that computed it. */
  default void madeByDevice() {}

  /** Cached pages were read for a region, and not verified, although the problem says so. */
  default void unverified(AttentionProblem problem, AttentionRegion region) {}

  /** An exact code, or a second computation, says that something the region used was damaged. */
  void suspect(AttentionProblem problem, AttentionRegion region, Component component);
}
