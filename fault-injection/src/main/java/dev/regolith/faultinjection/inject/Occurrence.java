package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;

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
 * @param repeated whether the same region was passed at this point before in the call
 */
record Occurrence(
    ProbePoint point,
    int number,
    MemorySegment memory,
    long offset,
    long rows,
    long rowBytes,
    long stride,
    boolean repeated) {

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
