package dev.regolith.kernels.exec;

/**
 * Finds out whether native code switched this thread to flush-to-zero or denormals-are-zero, under
 * which no result here would be IEEE 754.
 */
public final class FloatingPointMode {
  // Not final: the JIT must not compute with them ahead of time.
  private static volatile float smallestNormal = Float.MIN_NORMAL;
  private static volatile float smallest = Float.MIN_VALUE;

  private FloatingPointMode() {}

  /** Whether this thread keeps subnormal results and operands. */
  public static boolean keepsSubnormals() {
    return smallestNormal * 0.5f != 0 && smallest * 0x1p100f != 0;
  }
}
