package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.tensor.DType;

/** What an envelope widens by where a result is rounded to a type's precision, once. */
final class Rounding {
  private Rounding() {}

  /**
   * Half a unit in the last place of a number of some size, and half the smallest subnormal number:
   * of 8 and 11 bits of precision, and nothing for float32, which results have anyway.
   *
   * @param largest what is rounded is no larger
   */
  static double of(DType type, double largest) {
    return switch (type) {
      case BFLOAT16 -> 0x1p-8 * largest + 0x1p-134;
      case FLOAT16 -> 0x1p-11 * largest + 0x1p-25;
      default -> 0;
    };
  }
}
