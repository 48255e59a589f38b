package dev.regolith.kernels.op;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How the rows of a tensor of 16-bit floats lie in its memory, whatever its strides; a transposed
 * matrix is taken as the one it was. Mutable and reused.
 */
final class HalfRows {
  private DType type = DType.BFLOAT16;
  private MemorySegment memory = MemorySegment.NULL;
  private long offset;
  private long[] shape = {};
  private long[] strides = {};
  private long rows;
  private boolean turned;
  private boolean moved;
  private long pitch;

  /** Takes up a tensor, and its words. */
  void set(Tensor half, MemorySegment words) {
    int rank = half.rank();
    type = half.dtype();
    memory = words;
    offset = half.offset();
    moved = false;
    if (shape.length != rank) {
      shape = new long[rank];
      strides = new long[rank];
    }
    turned = rank >= 2 && half.stride(-1) != 1 && half.stride(-2) == 1;
    rows = 1;
    for (int d = 0; d < rank; d++) {
      int from = turned && d >= rank - 2 ? 2 * rank - 3 - d : d;
      shape[d] = half.size(from);
      strides[d] = half.stride(from);
      rows *= d < rank - 1 ? shape[d] : 1;
    }
  }

  /** Has rows read from a copy from here on: one behind the other, so many elements apart. */
  void moveTo(MemorySegment copy, long apart) {
    memory = copy;
    pitch = apart;
    moved = true;
  }

  /** Has the same elements read from a copy of all of the memory. */
  void moveTo(MemorySegment copy) {
    memory = copy;
  }

  DType type() {
    return type;
  }

  MemorySegment memory() {
    return memory;
  }

  /** The extents, in the order of rows and columns here. */
  long[] shape() {
    return shape;
  }

  /** Whether rows here are columns of the tensor. */
  boolean isTurned() {
    return turned;
  }

  /** Rows, of all matrices. */
  long rows() {
    return rows;
  }

  long columns() {
    return shape.length == 0 ? 1 : shape[shape.length - 1];
  }

  /** From an element of a row to the next, in elements. */
  long columnStride() {
    return moved || shape.length == 0 ? 1 : strides[shape.length - 1];
  }

  /** The first element of a row. */
  long element(long row) {
    if (moved) {
      return row * pitch;
    }
    long at = offset;
    long rest = row;
    for (int d = shape.length - 2; d >= 0; d--) {
      at += rest % shape[d] * strides[d];
      rest /= shape[d];
    }
    return at;
  }

  short get(long element) {
    return memory.getAtIndex(ValueLayout.JAVA_SHORT, element);
  }

  void put(long element, short bits) {
    memory.setAtIndex(ValueLayout.JAVA_SHORT, element, bits);
  }

  /** Lets go of the memory. */
  void forget() {
    memory = MemorySegment.NULL;
  }
}
