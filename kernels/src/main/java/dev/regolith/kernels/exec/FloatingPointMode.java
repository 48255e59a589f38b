package dev.regolith.kernels.exec;

/**
 * Finds out whether native code switched this thread to flush-to-zero or denormals-are-zero, under
 * which no result here would be IEEE 754.
 */
public final class FloatingPointMode {
  // Not final: the JIT must not compute with it ahead of time.
  private static volatile float smallest = Float.MIN_VALUE;

  private FloatingPointMode() {}

  /** Whether this thread keeps subnormal results and operands. */
  public static boolean keepsSubnormals() {
    // Flushed if either operands or results are. Processors add subnormals without taking longer,
    // but
    // not all of them multiply so.
    float tiny = smallest;
    return Float.floatToRawIntBits(tiny + tiny) != 0;
  }
}
