package dev.regolith.kernels.op;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** What all operators ask of tensors, whatever they compute. */
final class Arguments {
  private Arguments() {}

  /** Refuses a tensor whose memory is gone, or another thread's. */
  static void requireReachable(String name, Tensor tensor) {
    MemorySegment segment = tensor.storage().place();
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("the arena of %s, %s, is closed".formatted(name, tensor));
    }
    if (!segment.isAccessibleBy(Thread.currentThread())) {
      throw new IllegalStateException(
          "%s, %s, lies in an arena that is confined to another thread; use Arena.ofShared()"
              .formatted(name, tensor));
    }
  }

  /**
   * Whether the stretches of memory that two tensors lie in meet; false means no shared element.
   */
  static boolean mayOverlap(Tensor x, Tensor y) {
    MemorySegment xs = x.storage().place();
    MemorySegment ys = y.storage().place();
    if (x.elements() == 0 || y.elements() == 0 || xs.isNative() != ys.isNative()) {
      return false;
    }
    boolean sameStorage = x.storage() == y.storage();
    if (!sameStorage && !xs.isNative() && xs.asOverlappingSlice(ys).isEmpty()) {
      return false;
    }
    long xFirst = xs.address() + x.dtype().bytes() * x.offset();
    long yFirst = ys.address() + y.dtype().bytes() * y.offset();
    return xFirst < yFirst + y.dtype().bytes() * y.extent()
        && yFirst < xFirst + x.dtype().bytes() * x.extent();
  }

  /** Whether two tensors share a word, whatever storages they know the memory by. */
  static boolean overlap(Tensor x, Tensor y) {
    MemorySegment xs = x.storage().place();
    MemorySegment ys = y.storage().place();
    if (x.storage() == y.storage()) {
      return x.range().intersects(y.range());
    }
    if (xs.isNative() != ys.isNative() || (!xs.isNative() && xs.asOverlappingSlice(ys).isEmpty())) {
      return false;
    }
    long shift = (ys.address() - xs.address()) / 4;
    if (xs.isNative() && (shift >= xs.byteSize() / 4 || -shift >= ys.byteSize() / 4)) {
      return false;
    }
    Range r = y.range();
    return x.range()
        .intersects(
            new Range(
                r.offset() + shift,
                r.batch(),
                r.rows(),
                r.columns(),
                r.batchStride(),
                r.rowStride(),
                r.columnStride()));
  }
}
