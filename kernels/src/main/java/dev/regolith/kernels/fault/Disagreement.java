package dev.regolith.kernels.fault;

/**
 * A checksum that the inputs predicted and the output did not show.
 *
 * @param row row of the output
 * @param predicted from the inputs
 * @param shown from the output in memory
 * @param tolerance largest difference that rounding explains, see docs/numerics.md
 */
public record Disagreement(long row, double predicted, double shown, double tolerance) {
  /** Shown minus predicted. */
  public double residual() {
    return shown - predicted;
  }

  /** By how much the residual exceeds the tolerance; infinite where it is not a number. */
  public double excess() {
    double ratio = Math.abs(residual()) / tolerance;
    return Double.isNaN(ratio) ? Double.POSITIVE_INFINITY : ratio;
  }
}
