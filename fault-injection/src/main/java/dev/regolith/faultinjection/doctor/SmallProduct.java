package dev.regolith.faultinjection.doctor;

import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * What came of a small product, once as it is and once with a damaged operand.
 *
 * @param bitsRight whether it had the bits of the scalar chain
 * @param faultCorrected whether a flipped bit was found, undone, and left no trace in the result
 */
record SmallProduct(boolean bitsRight, boolean faultCorrected) {
  private static final int SIZE = 96;

  static SmallProduct of(Session session) {
    try (var arena = Arena.ofShared()) {
      float[] x = operand(session, 1);
      float[] y = operand(session, 2);
      MemorySegment memory = arena.allocate(4L * SIZE * SIZE, Tensor.ALIGNMENT);
      memory.copyFrom(MemorySegment.ofArray(x));
      Tensor a = Tensor.wrap(memory, DType.FLOAT32, SIZE, SIZE);
      Tensor b = Tensor.of(arena, y, SIZE, SIZE);
      float[] expected = chain(x, y);
      Tensor c = Tensor.zeros(arena, DType.FLOAT32, SIZE, SIZE);
      boolean right = session.gemm(a, b, c) == Status.CLEAN && same(expected, c);
      session.seal(a);
      memory.set(ValueLayout.JAVA_INT, 4000, memory.get(ValueLayout.JAVA_INT, 4000) ^ 1 << 27);
      boolean corrected =
          session.gemm(a, b, c) == Status.CORRECTED
              && same(expected, c)
              && session.verify(a) == Status.CLEAN;
      return new SmallProduct(right, corrected);
    }
  }

  /** Of integers, where only what is exact in any order can be compared by its bits. */
  private static float[] operand(Session session, long seed) {
    float[] values = random(SIZE * SIZE, seed);
    for (int i = 0; i < values.length && !session.isCanonical(); i++) {
      values[i] = Math.round(300 * values[i]);
    }
    return values;
  }

  private static float[] chain(float[] a, float[] b) {
    var c = new float[SIZE * SIZE];
    for (int i = 0; i < SIZE; i++) {
      for (int j = 0; j < SIZE; j++) {
        float acc = 0;
        for (int k = 0; k < SIZE; k++) {
          acc = Math.fma(a[i * SIZE + k], b[k * SIZE + j], acc);
        }
        c[i * SIZE + j] = acc;
      }
    }
    return c;
  }

  private static boolean same(float[] expected, Tensor c) {
    return Arrays.equals(expected, c.toArray());
  }

  /** Elements from -1 to 1. */
  static float[] random(int length, long seed) {
    var random = new SplittableRandom(seed);
    var values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }
}
