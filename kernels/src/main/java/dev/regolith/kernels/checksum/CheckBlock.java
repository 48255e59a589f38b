package dev.regolith.kernels.checksum;

/**
 * The grain of protection: the rectangle that is verified, sealed, and recomputed as one. It is the
 * same for every backend and vector width, so that seals can be read by another backend than the
 * one that made them.
 */
public final class CheckBlock {
  /** Rows of a block; no strip of register tiles reaches over its edge. */
  public static final int ROWS = 24;

  /** Columns of a block: a multiple of every register tile's columns (8, 16, 32). */
  public static final int COLUMNS = 128;

  /** Two vectors of the widest kind: what rows of a block of fewer columns are rounded up to. */
  public static final int UNIT = 32;

  private static final int WIDE_DEPTH = 1024;
  private static final int MEDIUM_DEPTH = 2048;

  private CheckBlock() {}

  /**
   * How many blocks side by side one check covers, at most. A check's noise grows with the root of
   * depth times columns: this keeps what every check sees below 2e-4 of the result's root mean
   * square (docs/numerics.md), and checks products of small depth as coarsely as that allows.
   */
  public static int span(long depth) {
    if (depth <= WIDE_DEPTH) {
      return 3;
    }
    return depth <= MEDIUM_DEPTH ? 2 : 1;
  }

  /**
   * By how much the index of a word in its seal grows from a row of a block to the next: its
   * columns, and as many more as make full vectors.
   */
  public static int pitch(int columns) {
    return Math.ceilDiv(columns, UNIT) * UNIT;
  }

  /** How many blocks cover {@code rows} rows. */
  public static long down(long rows) {
    return Math.ceilDiv(rows, ROWS);
  }

  /** How many blocks cover {@code columns} columns. */
  public static long across(long columns) {
    return Math.ceilDiv(columns, COLUMNS);
  }
}
