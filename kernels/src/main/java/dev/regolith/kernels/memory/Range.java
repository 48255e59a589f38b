package dev.regolith.kernels.memory;

/**
 * The words of a batch of strided matrices inside a storage: element {@code (b, i, j)} is word
 * {@code offset + b * batchStride + i * rowStride + j * columnStride}. Strides are in elements and
 * not negative.
 */
public record Range(
    long offset,
    long batch,
    long rows,
    long columns,
    long batchStride,
    long rowStride,
    long columnStride) {

  /** Number of elements. */
  public long size() {
    return batch * rows * columns;
  }

  /** Word of element {@code (b, i, j)}. */
  public long word(long b, long i, long j) {
    return offset + b * batchStride + i * rowStride + j * columnStride;
  }

  /** Last word touched, or {@code offset - 1} for an empty range. */
  public long last() {
    return size() == 0 ? offset - 1 : word(batch - 1, rows - 1, columns - 1);
  }

  /** Whether the ranges' bounding intervals meet; false means that they share no word. */
  public boolean mayTouch(Range other) {
    return size() != 0 && other.size() != 0 && offset <= other.last() && other.offset <= last();
  }

  /** Matrices of the same sizes, row-major and without gaps from word 0 on. */
  public Range rowMajor() {
    return new Range(0, batch, rows, columns, rows * columns, columns, 1);
  }

  /** Whether this is what {@link #rowMajor} would make of it. */
  public boolean isRowMajor() {
    return offset == 0
        && columnStride == 1
        && rowStride == columns
        && batchStride == rows * columns;
  }

  /** Whether the elements follow each other without gaps from word 0 on. */
  public boolean isDense() {
    return offset == 0
        && (columnStride == 1 || columns <= 1)
        && (rowStride == columns || rows <= 1)
        && (batchStride == rows * columns || batch <= 1);
  }

  /** Whether kernels can walk the rows as they lie: neighbouring columns are neighbouring words. */
  public boolean hasUnitColumns() {
    return columnStride == 1 || columns <= 1;
  }

  /** The same words with rows and columns exchanged. */
  public Range turned() {
    return new Range(
        offset,
        batch,
        /* rows= */ columns,
        /* columns= */ rows,
        batchStride,
        /* rowStride= */ columnStride,
        /* columnStride= */ rowStride);
  }

  /** Whether two elements of this range share a word (a broadcast or folded view). */
  public boolean selfOverlaps() {
    if (size() <= 1) {
      return false;
    }
    return Overlap.selfOverlaps(this);
  }

  /**
   * Whether all words of another range are words of this one; false also where that is not plain to
   * see, because the strides differ.
   */
  public boolean covers(Range other) {
    if (isDense() && other.isDense()) {
      return other.size() <= size();
    }
    boolean sameCut =
        batch == 1
            && other.batch == 1
            && columnStride == other.columnStride
            && (rowStride == other.rowStride || other.rows == 1)
            && columnStride > 0
            && rowStride > 0;
    if (!sameCut || other.offset < offset) {
      return false;
    }
    long row = (other.offset - offset) / rowStride;
    long rest = (other.offset - offset) % rowStride;
    long column = rest / columnStride;
    return rest % columnStride == 0
        && row + other.rows <= rows
        && column + other.columns <= columns;
  }

  /** Whether any word belongs to both ranges, decided element by element where bounds do not. */
  public boolean intersects(Range other) {
    boolean stretches = isStretch() && other.isStretch();
    return mayTouch(other) && (stretches || Overlap.intersects(this, other));
  }

  /** Whether these are plainly all words from the first to the last. */
  private boolean isStretch() {
    boolean along = hasUnitColumns() && (rowStride == columns || rows <= 1);
    boolean down = (rowStride == 1 || rows <= 1) && (columnStride == rows || columns <= 1);
    return (along || down) && (batchStride == rows * columns || batch <= 1);
  }
}
