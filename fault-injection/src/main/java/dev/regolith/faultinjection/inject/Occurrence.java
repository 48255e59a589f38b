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
 * @param rank the same without what is only compared
 * @param fate what becomes of what was computed
 * @param repeated whether the same region was passed at this point before in the call
 * @param blank whether the region held nothing but zeros, so that zeroing a word changes nothing
 */
record Occurrence(
    ProbePoint point,
    int number,
    int rank,
    Fate fate,
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

  /** What becomes of what the region belongs to. */
  enum Fate {
    /** It is what the call returns, or goes into it. */
    RETURNED,
    /** It was computed a second time, only to be compared. */
    COMPARED,
    /** It was checked, and is computed once more all the same, for something beside it. */
    REPLACED
  }

  /** The same with another fate. */
  Occurrence with(Fate other) {
    return new Occurrence(
        point, number, rank, other, memory, offset, rows, rowBytes, stride, repeated, blank);
  }

  /** Whether both have a word in common. */
  boolean overlaps(Occurrence other) {
    boolean oneBuffer =
        memory.address() == other.memory.address()
            && memory.heapBase().equals(other.memory.heapBase());
    for (long row = 0; oneBuffer && row < rows; row++) {
      long start = offset + row * stride;
      // The last row of the other that starts before the end of this one.
      long last = start + rowBytes - 1 - other.offset;
      last = other.stride == 0 ? Long.signum(last) : Math.floorDiv(last, other.stride);
      last = Math.min(last, other.rows - 1);
      if (last >= 0 && start < other.offset + last * other.stride + other.rowBytes) {
        return true;
      }
    }
    return false;
  }

  /** Whether both are of the same words of buffers that are laid out alike. */
  boolean isPlacedLike(Occurrence other) {
    return offset == other.offset
        && rows == other.rows
        && rowBytes == other.rowBytes
        && stride == other.stride;
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
