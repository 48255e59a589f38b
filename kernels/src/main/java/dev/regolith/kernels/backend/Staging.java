package dev.regolith.kernels.backend;

import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Brings matrices of any layout and kind of memory into the one form the kernels read (row-major,
 * native), and results back. The sum of the words it read travels along, so that a word that
 * changed in between is noticed.
 */
public final class Staging {
  private static final int TILE = 16;

  private Staging() {}

  /**
   * Copies a rectangle of a matrix into row-major native memory.
   *
   * @return the sum of the words read, as unsigned integers
   */
  public static long gather(
      MemorySegment source,
      Range range,
      long matrix,
      long row,
      int rows,
      long column,
      long columns,
      MemorySegment target,
      long offset,
      long stride) {
    long sum = 0;
    for (int top = 0; top < rows; top += TILE) {
      int bottom = Math.min(rows, top + TILE);
      for (long left = 0; left < columns; left += TILE) {
        long right = Math.min(columns, left + TILE);
        for (int i = top; i < bottom; i++) {
          long word = range.word(matrix, row + i, column + left);
          long to = offset + i * stride + 4L * left;
          for (long j = left; j < right; j++, to += 4, word += range.columnStride()) {
            int value = source.getAtIndex(ValueLayout.JAVA_INT, word);
            target.set(ValueLayout.JAVA_INT, to, value);
            sum += Integer.toUnsignedLong(value);
          }
        }
      }
    }
    return sum;
  }

  /** A writable copy of memory that cannot be written, with one word put back. */
  public static MemorySegment patched(MemorySegment memory, long word, int changedBits) {
    MemorySegment copy = Arena.ofAuto().allocate(memory.byteSize(), 64);
    copy.copyFrom(memory);
    int damaged = copy.getAtIndex(ValueLayout.JAVA_INT, word);
    copy.setAtIndex(ValueLayout.JAVA_INT, word, damaged ^ changedBits);
    return copy;
  }

  /** Copies rows of row-major native memory into a matrix of any layout. */
  public static void scatter(
      MemorySegment source,
      long offset,
      long stride,
      MemorySegment target,
      Range range,
      long matrix,
      long row,
      long rows) {
    for (long i = 0; i < rows; i++) {
      long word = range.word(matrix, row + i, 0);
      long from = offset + i * stride;
      for (long j = 0; j < range.columns(); j++, from += 4, word += range.columnStride()) {
        target.setAtIndex(ValueLayout.JAVA_INT, word, source.get(ValueLayout.JAVA_INT, from));
      }
    }
  }
}
