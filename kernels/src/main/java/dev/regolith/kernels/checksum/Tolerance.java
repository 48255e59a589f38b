package dev.regolith.kernels.checksum;

/**
 * The largest difference between a shown and a predicted checksum that rounding explains; the
 * derivation is in docs/numerics.md, "Tolerance".
 *
 * <p>Model: the roundings of a product are independent, unbiased and uniform in half a unit in the
 * last place, and the leading digits of partial sums are spread as Benford's law says. The
 * tolerance is {@link #SIGMAS} standard deviations of the checksum under that model, plus absolute
 * terms for underflow and for the double arithmetic of the check.
 *
 * <p>The standard deviation follows from the squares of all partial sums. There are two ways to get
 * them from the inputs: <b>estimated</b>, as a mean path plus contributions uncorrelated along k,
 * which costs next to nothing; and <b>exact</b>, by computing the path of every element, which is
 * done only for the rare check that exceeds the estimated tolerance (products of trained weights
 * with activations are not uncorrelated, and their partial sums run up to three times higher).
 */
public final class Tolerance {
  /** Chosen false-alarm probability per check. */
  public static final double FALSE_ALARM = 1e-12;

  /** Sub-Gaussian bound 2 exp(-t^2/2) = FALSE_ALARM. */
  public static final double SIGMAS = Math.sqrt(2 * Math.log(2 / FALSE_ALARM));

  /** Unit roundoff of float32. */
  public static final double U = 0x1p-24;

  /**
   * Mean square of a relative rounding error: u^2 / 3, times 3 / (8 ln 2) for Benford mantissas.
   */
  public static final double ROUNDING_VARIANCE = U * U / (8 * Math.log(2));

  /** Steps along k that share one tolerance coefficient. */
  public static final int GRAIN = 64;

  /**
   * Estimated noise of a shown checksum that is added up in float32 lanes: so many times the
   * squares of the result (docs/numerics.md).
   */
  public static final int SHOWN_WEIGHT = 7;

  /**
   * Estimated noise of check vectors that are added up in float32 lanes: so many times the squares
   * of the columns under the check, for every step.
   */
  public static final int VECTOR_WEIGHT = 9;

  /** Estimated noise of a float32 prediction: so many times the squares of its terms. */
  public static final int PREDICTION_WEIGHT = 10;

  /** Weight of the old C: its own two roundings, and its share of what shows it. */
  private static final int OLD = 3 + 2 * SHOWN_WEIGHT;

  /** Most that a rounding to a subnormal number errs. */
  public static final double UNDERFLOW = 0x1p-150;

  private Tolerance() {}

  /**
   * The tolerance of one check.
   *
   * @param alpha factor of the product
   * @param beta factor of the old C, 0 if it is not read
   * @param depth K
   * @param columns columns under the check
   * @param squares sum of the squares of all partial sums: of the result, over columns and steps,
   *     and of the check's own float32 arithmetic
   * @param oldSquares sum of the squares of the old C, 0 if it is not read
   * @return NaN or infinite if the inputs are
   */
  public static double of(
      double alpha, double beta, long depth, int columns, double squares, double oldSquares) {
    return of(alpha, beta, depth, columns, squares, oldSquares, OLD);
  }

  /** The same, with the weight of the old C's squares. */
  public static double of(
      double alpha,
      double beta,
      long depth,
      int columns,
      double squares,
      double oldSquares,
      int oldWeight) {
    double scaled = alpha * alpha * squares;
    boolean plain = alpha == 1 && beta == 0;
    double roundings = plain ? scaled : 3 * scaled + oldWeight * beta * beta * oldSquares;
    double underflow = UNDERFLOW * (columns + 1) * (Math.abs(alpha) * depth + (plain ? 1 : 3));
    double checking =
        0x1p-52 * (depth + columns) * Math.sqrt(columns * (scaled + beta * beta * oldSquares));
    return SIGMAS * Math.sqrt(ROUNDING_VARIANCE * roundings) + underflow + checking;
  }

  /**
   * Share of the mean path in the variance: the squares of a mean that runs linearly from one value
   * to another over {@code steps} steps, summed over steps and columns.
   *
   * @param before sum of a row of the product before these steps
   * @param after the same after them
   */
  public static double meanPath(double before, double after, int steps, int columns) {
    return steps * (before * before + before * after + after * after) / (3 * columns);
  }
}
