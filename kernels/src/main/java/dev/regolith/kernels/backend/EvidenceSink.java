package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;

/** Where a backend hands what it noticed; it draws no conclusion itself. Called by any worker. */
public interface EvidenceSink {
  /**
   * Evidence of some rows of a region, for all its check blocks, while they are hot.
   *
   * @param row first row, and {@code evidenceRow} its place in the evidence
   */
  void evidence(
      GemmProblem problem, Region region, long row, int rows, Evidence evidence, int evidenceRow);

  /** What a region is accepted on was made by the accelerator that computed it. */
  default void madeByDevice() {}

  /** So many columns were checked. */
  default void checked(int columns) {}

  /** The check of a column exceeded its tolerance, and a plain loop computes the column. */
  default void refined() {}

  /**
   * Checks of columns do not settle whether a region is right: inputs are not finite, or do not fit
   * the model of tolerances.
   */
  default void undecided(GemmProblem problem, Region region) {
    throw new UnsupportedOperationException("nobody listens");
  }

  /**
   * An exact code says that a buffer the region was computed from is not what it was; the buffer is
   * a copy, so nothing but the region needs mending.
   */
  void suspect(GemmProblem problem, Region region, Component component);

  /** The words of a block of A that the region was computed from are not those of its seal. */
  void inputDiffers(GemmProblem problem, Region region, long block);

  /** The words of a block of B, read where it lies, are not those of its seal. */
  default void rightDiffers(GemmProblem problem, Region region, long block) {
    throw new UnsupportedOperationException("nobody listens");
  }

  /**
   * The sums of a packed panel's k-block are not those of its digest or seal; the region was
   * computed from it.
   */
  void panelDiffers(GemmProblem problem, Region region, long panel, int kBlock);

  /** The sums of a check record are not those of its seal; the region's evidence came from it. */
  void recordDiffers(GemmProblem problem, Region region, long block, int kBlock);
}
