package dev.regolith.faultinjection.model;

/**
 * A dense float32 matrix on the heap, row-major without padding. Shared between layers, observers
 * and callers: nobody writes to the values of a matrix that somebody else made.
 */
public final class Matrix {
  private final int rows;
  private final int columns;
  private final float[] values;

  /**
   * Takes the array over without a copy.
   *
   * @param values {@code rows * columns} of them, element (i, j) at {@code i * columns + j}
   * @throws IllegalArgumentException if there are more or fewer, or a dimension is negative
   */
  public Matrix(int rows, int columns, float[] values) {
    if (rows < 0 || columns < 0 || (long) rows * columns != values.length) {
      throw new IllegalArgumentException(
          "expected %d x %d values, found %d".formatted(rows, columns, values.length));
    }
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  /** A matrix of zeros. */
  static Matrix zeros(int rows, int columns) {
    return new Matrix(rows, columns, new float[Math.multiplyExact(rows, columns)]);
  }

  public int rows() {
    return rows;
  }

  public int columns() {
    return columns;
  }

  /** The values themselves, not a copy; element (i, j) at {@code i * columns + j}. */
  public float[] values() {
    return values;
  }

  /**
   * The element at (row, column).
   *
   * @throws IndexOutOfBoundsException if there is none
   */
  public float at(int row, int column) {
    if (column < 0 || column >= columns) {
      throw new IndexOutOfBoundsException(column);
    }
    return values[row * columns + column];
  }

  /** The sum of two matrices of one shape, as a new matrix. */
  Matrix plus(Matrix other) {
    Matrix sum = zeros(rows, columns);
    for (int i = 0; i < values.length; i++) {
      sum.values[i] = values[i] + other.values[i];
    }
    return sum;
  }

  @Override
  public String toString() {
    return "Matrix[" + rows + " x " + columns + "]";
  }
}
