package dev.regolith.kernels.backend.vector;

import java.util.Objects;

/**
 * What is checked before machine code is called: it reads and writes where it is told to, and an
 * upset in an index must not get that far.
 */
final class Bounds {
  private Bounds() {}

  /**
   * Refuses rows that do not lie within a memory; all in its units.
   *
   * @param from where the first row starts
   * @param stride from a row to the next
   * @param rows at least 1: loops in machine code have no turn to skip
   * @param size of a row
   * @throws IndexOutOfBoundsException if they do not
   * @throws ArithmeticException if that is beyond what can be counted
   */
  static void check(long from, long stride, int rows, long size, long length) {
    Objects.checkIndex(rows - 1, Integer.MAX_VALUE);
    Objects.checkIndex(size, length + 1);
    Objects.checkIndex(rows == 1 ? 0 : stride, length + 1);
    long extent = rows == 1 ? size : Math.addExact(Math.multiplyExact(rows - 1L, stride), size);
    Objects.checkFromIndexSize(from, extent, length);
  }

  /** Refuses a number of turns that a loop in machine code would never end. */
  static long turns(int count) {
    return 1L + Objects.checkIndex(count - 1, Integer.MAX_VALUE);
  }
}
