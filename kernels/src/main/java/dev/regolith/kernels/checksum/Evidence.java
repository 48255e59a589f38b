package dev.regolith.kernels.checksum;

/**
 * The evidence of a stretch of rows of a region: what the inputs predict, what the output shows,
 * and how far apart rounding may drive them. A check covers one row of up to {@link
 * CheckBlock#span} neighbouring check blocks. Entry {@code (row, check)} is at {@code row * checks
 * + check}. Reused from call to call; owned by one thread.
 */
public final class Evidence {
  /** Rows of B that an exact tolerance takes in at a time; divides a k-block. */
  public static final int PATH_STEPS = 32;

  private int blocks;
  private int span = 1;
  private int checks;

  /** Predicted checksum of the bare product, then of the result. */
  public double[] predicted = {};

  /** Checksum read from the output in memory. */
  public double[] shown = {};

  /** Tolerance of the difference. */
  public double[] tolerance = {};

  /** Estimated squares of partial sums, summed over columns and steps. */
  public double[] squares = {};

  /**
   * Interleaved float32 lanes in which the terms of a prediction are added up within a k-block; 0
   * if the backend does so in double precision.
   */
  public int predictionLanes;

  /** Steps that these lanes take in at a time; fewer at the end of a k-block are added up apart. */
  public int predictionUnit;

  /** The same for the columns of a check block that show a checksum. */
  public int shownLanes;

  /** The same for the columns of a check block that make up a check vector. */
  public int vectorLanes;

  /** Room for those lanes, see {@code PathSquares}. */
  public double[] lane = {};

  /** What is known of a check vector's lanes, by step, for the last check that asked. */
  public double[] vectorSquares = {};

  private long vectorMatrix;
  private long vectorBlock = -1;

  /** Room for as many as the last steps of a prediction are added up in. */
  public double[] rest = {};

  /** How many of these come together in one of the others. */
  public int restTogether = 1;

  /** Room for the path of one row of a check block, see {@code PathSquares}. */
  public final double[] path = new double[CheckBlock.COLUMNS];

  /** Room for the squares along that path. */
  public final double[] pathSquares = new double[CheckBlock.COLUMNS];

  /** Room for {@link #PATH_STEPS} rows of a packed panel. */
  public final float[] panelRows = new float[PATH_STEPS * CheckBlock.COLUMNS];

  /** Room for as many rows of a check block. */
  public final float[] rows = new float[PATH_STEPS * CheckBlock.COLUMNS];

  /** Running sum of the product's row, for the mean path. */
  public double[] mean = {};

  /** Starts the evidence of a region, so many rows by check blocks, at zero. */
  public void open(int rows, int newBlocks, long depth) {
    blocks = newBlocks;
    span = Math.min(newBlocks, CheckBlock.span(depth));
    checks = Math.ceilDiv(newBlocks, span);
    vectorBlock = -1;
    int size = rows * checks;
    if (predicted.length < size) {
      predicted = new double[size];
      shown = new double[size];
      tolerance = new double[size];
      squares = new double[size];
      mean = new double[size];
    }
    java.util.Arrays.fill(predicted, 0, size, 0);
    java.util.Arrays.fill(shown, 0, size, 0);
    java.util.Arrays.fill(squares, 0, size, 0);
    java.util.Arrays.fill(mean, 0, size, 0);
  }

  /**
   * How the backend adds up in float32.
   *
   * @param unit steps that a prediction's lanes take in at a time
   * @param lastLanes lanes that fewer steps at the end are added up in
   * @param together how many of these come together in one of the others, at most four
   */
  public void lanes(int prediction, int unit, int lastLanes, int together, int shown, int vector) {
    predictionLanes = prediction;
    predictionUnit = unit;
    rest = rest.length == lastLanes ? rest : new double[lastLanes];
    restTogether = together;
    shownLanes = shown;
    vectorLanes = vector;
    int most = Math.max(vector, Math.max(prediction, shown));
    if (lane.length < most) {
      lane = new double[most];
    }
  }

  /**
   * Whether {@link #vectorSquares} are those of a check, in the region that this is evidence of.
   */
  public boolean hasVectorSquares(long matrix, long block) {
    return vectorBlock == block && vectorMatrix == matrix;
  }

  /** Makes room for those of a check, and starts them at zero. */
  public void openVectorSquares(long matrix, long block, long depth) {
    vectorMatrix = matrix;
    vectorBlock = block;
    if (vectorSquares.length < depth) {
      vectorSquares = new double[Math.toIntExact(depth)];
    }
    java.util.Arrays.fill(vectorSquares, 0, (int) depth, 0);
  }

  /** Place of a row's entry for a check. */
  public int at(int row, int check) {
    return row * checks + check;
  }

  /** Whether the inputs allow a prediction at all. */
  public boolean isConclusive(int at) {
    return Double.isFinite(predicted[at]) && Double.isFinite(tolerance[at]);
  }

  /** Checks side by side. */
  public int checks() {
    return checks;
  }

  /** The first check block, counted from the region's first, that a check covers. */
  public int firstBlock(int check) {
    return check * span;
  }

  /** The check that covers a check block, counted from the region's first. */
  public int checkOf(int block) {
    return block / span;
  }

  /** How many check blocks a check covers. */
  public int blocksOf(int check) {
    return Math.min(span, blocks - check * span);
  }

  /**
   * Adds what one k-block contributes to an entry.
   *
   * @param product sum of a[k] v[k]
   * @param spread sum of a[k]^2 times the weighted column energies
   * @param meanGain expected gain of the row's sum
   */
  public void add(int at, double product, double spread, double meanGain, int steps, int columns) {
    predicted[at] += product;
    widen(at, spread, meanGain, steps, columns);
  }

  /** Adds to an entry's tolerance only; see {@link #add}. */
  public void widen(int at, double spread, double meanGain, int steps, int columns) {
    double before = mean[at];
    double after = before + meanGain;
    squares[at] += spread + Tolerance.meanPath(before, after, steps, columns);
    mean[at] = after;
  }

  /** Turns the predicted checksum of the product into that of the result, with its tolerance. */
  public void close(
      int at,
      float alpha,
      float beta,
      long depth,
      int columns,
      double signedOld,
      double oldSquares) {
    double total = mean[at] * mean[at] / columns * Tolerance.SHOWN_WEIGHT + squares[at];
    tolerance[at] = Tolerance.of(alpha, beta, depth, columns, total, oldSquares);
    double product = alpha * predicted[at];
    predicted[at] = beta == 0 ? product : product + beta * signedOld;
  }
}
