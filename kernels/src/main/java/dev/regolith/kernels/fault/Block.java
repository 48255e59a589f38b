package dev.regolith.kernels.fault;

/**
 * A rectangle of the output.
 *
 * @param batch index of the matrix in a batch
 * @param row first row
 * @param rows number of rows
 * @param column first column
 * @param columns number of columns
 */
public record Block(long batch, long row, long rows, long column, long columns) {
  /** The smallest rectangle that holds both; of the lower batch index. */
  public Block union(Block other) {
    long top = Math.min(row, other.row);
    long left = Math.min(column, other.column);
    return new Block(
        Math.min(batch, other.batch),
        top,
        Math.max(row + rows, other.row + other.rows) - top,
        left,
        Math.max(column + columns, other.column + other.columns) - left);
  }
}
