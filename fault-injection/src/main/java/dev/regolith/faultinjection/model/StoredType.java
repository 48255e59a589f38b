package dev.regolith.faultinjection.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** Element types of a safetensors file, named as the format names them. */
public enum StoredType {
  /** Two values to a byte. */
  F4(4),
  /** Four values to three bytes: 2 exponent bits, 3 fraction bits. */
  F6_E2M3(6),
  /** Four values to three bytes: 3 exponent bits, 2 fraction bits. */
  F6_E3M2(6),
  /** One byte, 0 or 1. */
  BOOL(8),
  /** Unsigned byte. */
  U8(8),
  /** Signed byte. */
  I8(8),
  /** 5 exponent bits, 2 fraction bits. */
  F8_E5M2(8),
  /** 4 exponent bits, 3 fraction bits. */
  F8_E4M3(8),
  /** A power of two, as used for scales. */
  F8_E8M0(8),
  /** Signed 16-bit integer. */
  I16(16),
  /** Unsigned 16-bit integer. */
  U16(16),
  /** IEEE 754 binary16. */
  F16(16),
  /** The upper half of a binary32. */
  BF16(16),
  /** Signed 32-bit integer. */
  I32(32),
  /** Unsigned 32-bit integer. */
  U32(32),
  /** IEEE 754 binary32. */
  F32(32),
  /** Two binary32: real and imaginary part. */
  C64(64),
  /** IEEE 754 binary64. */
  F64(64),
  /** Signed 64-bit integer. */
  I64(64),
  /** Unsigned 64-bit integer. */
  U64(64);

  private static final String NAMES =
      Arrays.stream(values()).map(Enum::name).collect(Collectors.joining(", "));

  private final int bits;

  StoredType(int bits) {
    this.bits = bits;
  }

  /** Size of an element in bits. */
  public int bits() {
    return bits;
  }

  /** The type of this name; empty if the format has none. */
  static Optional<StoredType> named(String name) {
    return Arrays.stream(values()).filter(type -> type.name().equals(name)).findFirst();
  }

  /** All names, for messages. */
  static String names() {
    return NAMES;
  }
}
