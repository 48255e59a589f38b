package dev.regolith.kernels;

import dev.regolith.kernels.Operand.Layout;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import java.util.random.RandomGenerator;

/** One product to check: everything that a caller may choose. */
record GemmCase(Shape shape, Layouts layouts, Factors factors, Way way, Values values, long seed) {

  /** Sizes; batch 0 for plain matrices. */
  record Shape(int batch, int m, int n, int k) {
    int matrices() {
      return Math.max(1, batch);
    }
  }

  /** Where the operands lie, and whether A or B is one matrix for all. */
  record Layouts(Layout a, Layout b, Layout c, boolean oneA, boolean oneB) {}

  /** Factors of product and old C. */
  record Factors(float alpha, float beta) {}

  /** How it is computed. */
  record Way(int threads, Protection protection, Compute compute, boolean packed) {}

  /** What the matrices hold. */
  enum Values {
    GAUSSIAN {
      @Override
      float next(RandomGenerator random) {
        return (float) random.nextGaussian();
      }
    },
    LARGE_MEAN {
      @Override
      float next(RandomGenerator random) {
        return 1000 + (float) random.nextGaussian();
      }
    },
    /** Sums are small and often exact zeros, of either sign. */
    SMALL_INTEGERS {
      @Override
      float next(RandomGenerator random) {
        return random.nextInt(3) - 1 == 0 ? -0f : random.nextInt(5) - 2;
      }
    },
    TINY {
      @Override
      float next(RandomGenerator random) {
        return (float) random.nextGaussian() * Float.MIN_NORMAL;
      }
    },
    /** A few of what IEEE 754 is known for, among ordinary numbers. */
    SPECIAL {
      private static final float[] FEW = {
        Float.NaN,
        Float.POSITIVE_INFINITY,
        Float.NEGATIVE_INFINITY,
        0f,
        -0f,
        Float.MIN_VALUE,
        -Float.MIN_VALUE,
        Float.MIN_NORMAL,
        0x1p-140f,
      };

      @Override
      float next(RandomGenerator random) {
        return random.nextInt(20) == 0
            ? FEW[random.nextInt(FEW.length)]
            : (float) random.nextGaussian();
      }
    };

    abstract float next(RandomGenerator random);

    float[] fill(RandomGenerator random, int count) {
      var elements = new float[count];
      for (int i = 0; i < count; i++) {
        elements[i] = next(random);
      }
      return elements;
    }
  }
}
