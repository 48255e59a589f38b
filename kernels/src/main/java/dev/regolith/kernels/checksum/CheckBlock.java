package dev.regolith.kernels.checksum;

/**
 * The grain of protection: the rectangle that is verified, sealed, and recomputed as one. It is the
 * same for every backend and vector width, so that seals can be read by another backend than the
 * one that made them.
 */
public final class CheckBlock {
  /** Rows of a block: a multiple of every register tile's rows (6, 8, 12). */
  public static final int ROWS = 24;

  /** Columns of a block: a multiple of every register tile's columns (8, 16, 32). */
  public static final int COLUMNS = 128;

  private CheckBlock() {}

  /** How many blocks cover {@code rows} rows. */
  public static long down(long rows) {
    return Math.ceilDiv(rows, ROWS);
  }

  /** How many blocks cover {@code columns} columns. */
  public static long across(long columns) {
    return Math.ceilDiv(columns, COLUMNS);
  }
}
