package dev.regolith.faultinjection.model;

/** Exact conversions of 16-bit floating-point patterns to float32: every value is representable. */
final class Widening {
  private Widening() {}

  /** A bfloat16 is the upper half of the float32 of the same value. */
  static float bfloat16(short bits) {
    return Float.intBitsToFloat(bits << Short.SIZE);
  }

  /** An IEEE 754 binary16; a NaN stays a NaN, its payload may change. */
  static float float16(short bits) {
    return Float.float16ToFloat(bits);
  }
}
