package dev.regolith.kernels.tensor;

/**
 * Element types. Operators compute in {@link #FLOAT32}; operands and results may be {@link
 * #BFLOAT16} or {@link #FLOAT16} as well, which are widened, exactly, before and rounded after.
 * Masks may be {@link #BOOL}. The others can be stored and named.
 */
public enum DType {
  /** IEEE 754 binary32. */
  FLOAT32(4),
  /** The upper half of a binary32: 8 exponent bits, 7 fraction bits. */
  BFLOAT16(2),
  /** IEEE 754 binary16. */
  FLOAT16(2),
  /** Signed 32-bit integer. */
  INT32(4),
  /** Signed 8-bit integer. */
  INT8(1),
  /** A byte that is 0 for false: masks. */
  BOOL(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Size of an element in bytes. */
  public int bytes() {
    return bytes;
  }

  /** Whether this is a floating-point type of 16 bits, of either kind: "halves" in this library. */
  public boolean isHalf() {
    return this == BFLOAT16 || this == FLOAT16;
  }

  /**
   * The number that 16 bits of this type are; float32 has each of them.
   *
   * @throws UnsupportedOperationException if this {@linkplain #isHalf is no half}
   */
  public float widen(short bits) {
    return switch (this) {
      case BFLOAT16 -> Float.intBitsToFloat(bits << Short.SIZE);
      case FLOAT16 -> Float.float16ToFloat(bits);
      default -> throw notHalf();
    };
  }

  /**
   * The nearest number of this type, of two the even one (IEEE 754-2019, 4.3.1): what is too large
   * becomes an infinity, what is too small a subnormal number or a zero of its sign, and NaN is
   * NaN.
   *
   * @throws UnsupportedOperationException if this {@linkplain #isHalf is no half}
   */
  public short round(float x) {
    return switch (this) {
      case BFLOAT16 -> roundToUpperHalf(x);
      case FLOAT16 -> Float.isNaN(x) ? quiet(x) : Float.floatToFloat16(x);
      default -> throw notHalf();
    };
  }

  /** The one NaN of binary16 that there is of each sign. */
  private static short quiet(float x) {
    return (short) (Float.floatToRawIntBits(x) >>> 31 << 15 | 0x7e00);
  }

  private static short roundToUpperHalf(float x) {
    int bits = Float.floatToRawIntBits(x);
    int upper = bits >>> Short.SIZE;
    if (Float.isNaN(x)) {
      return (short) (upper | 0x40); // quiet: the lower half may have been all there was of it
    }
    return (short) ((bits + 0x7fff + (upper & 1)) >>> Short.SIZE);
  }

  private UnsupportedOperationException notHalf() {
    return new UnsupportedOperationException(this + " is not a floating-point type of 16 bits");
  }
}
