package dev.regolith.faultinjection.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WideningTest {
  private static final int PATTERNS = 1 << Short.SIZE;

  @Test
  void everyBfloat16KeepsItsBits() {
    for (int bits = 0; bits < PATTERNS; bits++) {
      assertThat(Float.floatToRawIntBits(Widening.bfloat16((short) bits))).isEqualTo(bits << 16);
    }
  }

  @Test
  void everyFloat16KeepsItsValue() {
    for (int bits = 0; bits < PATTERNS; bits++) {
      // As bits, so that -0 is not 0; doubleToLongBits makes every NaN the same.
      assertThat(Double.doubleToLongBits(Widening.float16((short) bits)))
          .isEqualTo(Double.doubleToLongBits(float16(bits)));
    }
  }

  /** The value of a binary16 from its definition. */
  private static double float16(int bits) {
    int exponent = (bits >> 10) & 0x1f;
    double fraction = bits & 0x3ff;
    double magnitude =
        switch (exponent) {
          case 0 -> Math.scalb(fraction, -24);
          case 0x1f -> fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
          default -> Math.scalb(1024 + fraction, exponent - 25);
        };
    return bits >> 15 == 0 ? magnitude : -magnitude;
  }
}
