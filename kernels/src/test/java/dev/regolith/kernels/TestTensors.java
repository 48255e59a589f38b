package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;

/** Tensors of a test, each all of its memory. */
record TestTensors(Arena arena) {
  Tensor random(int seed, int... shape) {
    int count = 1;
    long[] sizes = new long[shape.length];
    for (int i = 0; i < shape.length; i++) {
      count *= shape[i];
      sizes[i] = shape[i];
    }
    return Tensor.of(arena, Operand.gaussian(new SplittableRandom(seed), count), sizes);
  }

  Tensor empty(long... shape) {
    return Tensor.zeros(arena, DType.FLOAT32, shape);
  }

  /** The words of a row-major tensor, in another shape. */
  static Tensor view(Tensor tensor, long... shape) {
    var strides = new long[shape.length];
    long stride = 1;
    for (int d = shape.length - 1; d >= 0; d--) {
      strides[d] = stride;
      stride *= shape[d];
    }
    return tensor.strided(0, shape, strides);
  }

  /** Whether a tensor has the bits of other numbers; every NaN is the same. */
  static boolean same(float[] expected, Tensor found) {
    return ReferenceGemm.firstDifference(expected, found.toArray()) < 0;
  }
}
