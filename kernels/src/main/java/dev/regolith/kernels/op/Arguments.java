package dev.regolith.kernels.op;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** What all operators ask of tensors, whatever they compute. */
final class Arguments {
  private Arguments() {}

  /** Refuses a tensor of a type that operators neither compute in nor convert. */
  static void requireFloats(String operator, String name, Tensor tensor) {
    if (tensor.dtype() != DType.FLOAT32 && !tensor.dtype().isHalf()) {
      throw new IllegalArgumentException(
          "%s takes FLOAT32, BFLOAT16 and FLOAT16, but %s: %s".formatted(operator, name, tensor));
    }
  }

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

  /** Whether two tensors share an element, whatever storages they know the memory by. */
  static boolean overlap(Tensor x, Tensor y) {
    MemorySegment xs = x.storage().place();
    MemorySegment ys = y.storage().place();
    if (x.storage() == y.storage()) {
      return x.range().intersects(y.range());
    }
    if (xs.isNative() != ys.isNative() || (!xs.isNative() && xs.asOverlappingSlice(ys).isEmpty())) {
      return false;
    }
    int bytes = x.dtype().bytes();
    long apart = ys.address() - xs.address();
    if (xs.isNative() && (apart >= xs.byteSize() || -apart >= ys.byteSize())) {
      return false;
    }
    if (bytes != y.dtype().bytes() || apart % bytes != 0) {
      return mayOverlap(x, y); // elements across elements: not looked at any closer
    }
    long shift = apart / bytes;
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
