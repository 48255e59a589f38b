package dev.regolith.kernels.tensor;

/**
 * Element types. Only {@link #FLOAT32} computes so far; weights to be packed may be {@link
 * #BFLOAT16} or {@link #FLOAT16}, and {@link #BOOL} masks; the others can be stored and named.
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
}
