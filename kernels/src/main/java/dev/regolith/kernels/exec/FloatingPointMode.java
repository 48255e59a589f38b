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
    // Zero if operands or results are flushed. A subnormal is added as fast as any other number;
    // some processors take a hundred cycles to multiply it.
    float tiny = smallest;
    return Float.floatToRawIntBits(tiny + tiny) != 0;
  }
}
