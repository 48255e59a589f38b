package dev.regolith.kernels.backend;

/**
 * A rectangle of check blocks of the output. Mutable and reused.
 *
 * <p>Rows start at a multiple of {@code CheckBlock.ROWS}; at most {@link Backend#regionRows} rows
 * by {@link #MAX_BLOCKS} check blocks.
 */
public final class Region {
  /** Rows that the workspace of a backend on the CPU has room for. */
  public static final int MAX_ROWS = 288;

  /** Check blocks side by side that a backend's workspace has room for. */
  public static final int MAX_BLOCKS = 24;

  /** Matrix of the batch. */
  public long matrix;

  /** First row. */
  public long row;

  /** Number of rows. */
  public int rows;

  /** First check block. */
  public long block;

  /** Number of check blocks. */
  public int blocks;

  /** Matrix that the same thread will probably compute next; this one, if there is none. */
  public long nextMatrix;

  /** Sets all; nothing is known of what comes next. */
  public Region set(long newMatrix, long newRow, int newRows, long newBlock, int newBlocks) {
    matrix = newMatrix;
    row = newRow;
    rows = newRows;
    block = newBlock;
    blocks = newBlocks;
    nextMatrix = newMatrix;
    return this;
  }
}
