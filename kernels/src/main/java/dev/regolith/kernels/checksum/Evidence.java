package dev.regolith.kernels.checksum;

/**
 * The evidence of a stretch of rows, for a few neighbouring check blocks: what the inputs predict,
 * what the output shows, and how far apart rounding may drive them. Entry {@code (row, block)} is
 * at {@code row * blocks + block}. Reused from call to call; owned by one thread.
 */
public final class Evidence {
  private int blocks;

  /** Predicted checksum of the bare product, then of the result. */
  public double[] predicted = {};

  /** Checksum read from the output in memory. */
  public double[] shown = {};

  /** Tolerance of the difference. */
  public double[] tolerance = {};

  /** Estimated squares of partial sums, summed over columns and steps. */
  public double[] squares = {};

  /** Room for the path of one row of a check block, see {@code PathSquares}. */
  public final double[] path = new double[CheckBlock.COLUMNS];

  /** Room for one row of a packed panel. */
  public final float[] panelRow = new float[CheckBlock.COLUMNS];

  /** Running sum of the product's row, for the mean path. */
  public double[] mean = {};

  /** Starts a stretch of evidence at zero. */
  public void open(int rows, int newBlocks) {
    blocks = newBlocks;
    int size = rows * newBlocks;
    if (predicted.length < size) {
      predicted = new double[size];
      shown = new double[size];
      tolerance = new double[size];
      squares = new double[size];
      mean = new double[size];
    }
    java.util.Arrays.fill(predicted, 0, size, 0);
    java.util.Arrays.fill(squares, 0, size, 0);
    java.util.Arrays.fill(mean, 0, size, 0);
  }

  /** Place of a row's entry for a block. */
  public int at(int row, int block) {
    return row * blocks + block;
  }

  /** Check blocks side by side. */
  public int blocks() {
    return blocks;
  }

  /**
   * Adds what one k-block contributes to an entry.
   *
   * @param product sum of a[k] v[k]
   * @param spread sum of a[k]^2 times the weighted column energies
   * @param meanGain expected gain of the row's sum
   */
  public void add(int at, double product, double spread, double meanGain, int steps, int columns) {
    double before = mean[at];
    double after = before + meanGain;
    predicted[at] += product;
    squares[at] += spread + Tolerance.meanPath(before, after, steps, columns);
    mean[at] = after;
  }
}
