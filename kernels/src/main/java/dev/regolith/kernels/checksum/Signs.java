package dev.regolith.kernels.checksum;

/**
 * The fixed signs that weigh the columns of a check block.
 *
 * <p>Pseudo-random, so that errors of several columns do not cancel as they would with ones;
 * balanced within every pair of columns, so that a constant part of the output, and a rounding
 * error common to all columns, drop out instead of adding up.
 */
public final class Signs {
  /** Check blocks side by side until the signs repeat; no check is wider. */
  public static final int PATTERNS = 4;

  private static final double[] SIGNS = new double[PATTERNS * CheckBlock.COLUMNS];

  static {
    long state = 0x9E3779B97F4A7C15L;
    for (int pair = 0; pair < SIGNS.length; pair += 2) {
      state ^= state << 13;
      state ^= state >>> 7;
      state ^= state << 17;
      boolean plusFirst = (state >>> 33 & 1) == 0;
      SIGNS[pair] = plusFirst ? 1 : -1;
      SIGNS[pair + 1] = -SIGNS[pair];
    }
  }

  private Signs() {}

  /** +1 or -1 for a column of a check block; neighbouring blocks differ. */
  public static double of(long block, int column) {
    return SIGNS[(int) (block % PATTERNS) * CheckBlock.COLUMNS + column];
  }
}
