package dev.regolith.jmh.exercise;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Draws operands, the same in every run. Contenders copy them into memory of their own. */
public final class Draw {
  private Draw() {}

  /** Memory as tensors have it, aligned and in pages as large: no peer gets better or worse. */
  public static MemorySegment memory(Arena arena, long bytes) {
    return Tensor.zeros(arena, DType.INT8, bytes).segment();
  }

  /**
   * Evenly distributed between {@code -width} and {@code width}: Weyl steps through a 64-bit mixer,
   * as good as needed and fast for hundreds of megabytes.
   */
  public static MemorySegment evenly(Arena arena, long elements, float width, long seed) {
    MemorySegment segment = memory(arena, 4 * elements);
    long state = seed * 0x9E3779B97F4A7C15L;
    for (long i = 0; i < elements; i++) {
      state += 0x9E3779B97F4A7C15L;
      long bits = (state ^ state >>> 30) * 0xBF58476D1CE4E5B9L;
      bits ^= bits >>> 27;
      segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, width * ((bits >> 40) * 0x1p-23f));
    }
    return segment;
  }
}
