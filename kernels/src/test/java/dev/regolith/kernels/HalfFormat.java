package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/** A format of 16 bits by its definition: IEEE 754-2019, section 3.4. */
enum HalfFormat {
  BFLOAT16(8),
  FLOAT16(5);

  private final int exponentBits;
  private final int fractionBits;
  private final int bias;

  HalfFormat(int exponentBits) {
    this.exponentBits = exponentBits;
    fractionBits = 15 - exponentBits;
    bias = (1 << (exponentBits - 1)) - 1;
  }

  /** What it is called here. */
  DType type() {
    return DType.valueOf(name());
  }

  /** The number that some bits are. */
  float value(int bits) {
    int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
    double fraction = Math.scalb((double) (bits & ((1 << fractionBits) - 1)), -fractionBits);
    double size;
    if (exponent == (1 << exponentBits) - 1) {
      size = fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
    } else if (exponent == 0) {
      size = Math.scalb(fraction, 1 - bias);
    } else {
      size = Math.scalb(1 + fraction, exponent - bias);
    }
    return (float) ((bits & (1 << 15)) == 0 ? size : -size);
  }

  /** Of moderate size, either sign. */
  short moderate(SplittableRandom random) {
    int exponent = bias - 8 + random.nextInt(10);
    int fraction = random.nextInt(1 << fractionBits);
    return (short) ((random.nextInt(2) << 15) | (exponent << fractionBits) | fraction);
  }

  /**
   * The nearest number of the format, of two the one with an even last bit (section 4.3.1); found
   * by looking at both neighbours of a float, exactly, in double.
   */
  short nearest(float x) {
    int sign = Float.floatToRawIntBits(x) >>> 31 << 15;
    if (Float.isNaN(x)) {
      return (short) (sign | 0x7fff);
    }
    double size = Math.abs((double) x);
    int infinity = ((1 << exponentBits) - 1) << fractionBits;
    int below = 0; // the largest that is not larger
    for (int bit = 1 << 14; bit > 0; bit >>= 1) {
      if (below + bit < infinity && value(below + bit) <= size) {
        below += bit;
      }
    }
    double low = value(below);
    // What would come behind the largest, if there were one more exponent.
    double unit = low - value(Math.max(0, below - 1));
    double high = below + 1 == infinity ? low + unit : value(below + 1);
    boolean up = size - low > high - size || (size - low == high - size && (below & 1) == 1);
    return (short) (sign | (up ? below + 1 : below));
  }

  /** A tensor of this type's nearest numbers. */
  Tensor tensor(Arena arena, float[] values, long... shape) {
    Tensor tensor = Tensor.zeros(arena, type(), shape);
    for (int i = 0; i < values.length; i++) {
      tensor.storage().segment().setAtIndex(ValueLayout.JAVA_SHORT, i, nearest(values[i]));
    }
    return tensor;
  }

  /** The nearest numbers of this type, as float32. */
  float[] rounded(float[] values) {
    var rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = value(nearest(values[i]) & 0xffff);
    }
    return rounded;
  }
}
