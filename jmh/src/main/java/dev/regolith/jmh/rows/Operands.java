package dev.regolith.jmh.rows;

import java.util.Locale;

/** In which state B reaches the call. */
public enum Operands {
  /** As the caller's matrix: whatever packing it needs is part of the call. */
  FRESH,
  /** As weights that were packed ahead, where the library can. */
  PACKED;

  /** The name in files and on the command line. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
