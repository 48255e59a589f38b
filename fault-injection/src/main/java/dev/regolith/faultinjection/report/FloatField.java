package dev.regolith.faultinjection.report;

import java.util.Locale;

/** The parts of a 32-bit float; of other words, simply ranges of bits. */
enum FloatField {
  SIGN(31, 31),
  EXPONENT(23, 30),
  MANTISSA(0, 22);

  private final int lowest;
  private final int highest;

  FloatField(int lowest, int highest) {
    this.lowest = lowest;
    this.highest = highest;
  }

  static FloatField of(int bit) {
    return bit == 31 ? SIGN : bit >= 23 ? EXPONENT : MANTISSA;
  }

  /** The fields to the left of this one when a word is written with its highest bit first. */
  int fieldsAbove() {
    return switch (this) {
      case SIGN -> 0;
      case EXPONENT -> 1;
      case MANTISSA -> 2;
    };
  }

  int lowest() {
    return lowest;
  }

  int highest() {
    return highest;
  }

  String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Such as {@code exponent, bits 30-23}. */
  String title() {
    return this == SIGN ? "sign, bit 31" : "%s, bits %d-%d".formatted(id(), highest, lowest);
  }
}
