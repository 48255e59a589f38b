package dev.regolith.kernels.backend;

import java.lang.foreign.MemorySegment;

/**
 * Where kernels find the rows of an operand: native memory, neighbouring columns in neighbouring
 * words. Offsets and strides are in bytes. Mutable and reused.
 */
public final class RowView {
  /** The memory. */
  public MemorySegment memory = MemorySegment.NULL;

  private long offset;
  private long batchStride;
  private long rowStride;
  private long period;
  private boolean present;

  /** Sets all; the matrix of a batch counts modulo {@code newPeriod}. */
  public void set(
      MemorySegment newMemory,
      long newOffset,
      long newBatchStride,
      long newRowStride,
      long newPeriod) {
    memory = newMemory;
    offset = newOffset;
    batchStride = newBatchStride;
    rowStride = newRowStride;
    period = newPeriod;
    present = true;
  }

  /** There is no such operand. */
  public void clear() {
    memory = MemorySegment.NULL;
    present = false;
  }

  /** Whether there is such an operand. */
  public boolean isPresent() {
    return present;
  }

  /** First byte of a row. */
  public long at(long matrix, long row) {
    return offset + matrix % period * batchStride + row * rowStride;
  }
}
