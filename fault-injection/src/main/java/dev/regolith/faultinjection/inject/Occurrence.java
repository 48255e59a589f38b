package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One passing of a probe point.
 *
 * @param point the point
 * @param number how often this point was passed before in the call
 * @param memory the buffer
 * @param offset first byte of the region
 * @param rows rows of the region
 * @param rowBytes bytes in a row
 * @param stride bytes between rows
 * @param rank the same without what is computed a second time, only to be compared
 * @param second whether this belongs to such a computation
 * @param repeated whether the same region was passed at this point before in the call
 * @param blank whether the region held nothing but zeros, so that zeroing a word changes nothing
 */
record Occurrence(
    ProbePoint point,
    int number,
    int rank,
    boolean second,
    MemorySegment memory,
    long offset,
    long rows,
    long rowBytes,
    long stride,
    boolean repeated,
    boolean blank) {

  /** Whether a region holds nothing but zeros. */
  static boolean isBlank(MemorySegment memory, long offset, long rows, long rowBytes, long stride) {
    for (long row = 0; row < rows; row++) {
      for (long at = offset + row * stride; at < offset + row * stride + rowBytes; at += 4) {
        if (memory.get(ValueLayout.JAVA_INT, at) != 0) {
          return false;
        }
      }
    }
    return true;
  }

  /** The same as a part of a computation that is only compared. */
  Occurrence ofSecond() {
    return new Occurrence(
        point, number, rank, true, memory, offset, rows, rowBytes, stride, repeated, blank);
  }

  /** Words in the region. */
  long words() {
    return rows * rowBytes / 4;
  }

  /** Byte offset of a word of the region. */
  long word(long index) {
    long inRow = rowBytes / 4;
    return offset + index / inRow * stride + index % inRow * 4;
  }
}
