package dev.regolith.kernels.probe;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The place where fault campaigns look into, and write into, the real buffers of the real kernels.
 *
 * <p>The hook is a {@code static final}: where nobody installed one before the first kernel ran,
 * the JIT removes every call. Kernels ask {@link #ON} before they describe a region.
 */
public final class Probe {
  /** Receives the points a computation passes. Called on the computing thread. */
  @FunctionalInterface
  public interface Hook {
    /**
     * A point was reached; the region may be changed before the call returns.
     *
     * @param point which buffer, at which moment of its life
     * @param memory the buffer (native, or a view of a Java array)
     * @param offset first byte of the region
     * @param rows number of rows of the region
     * @param rowBytes bytes in a row, a multiple of four
     * @param stride bytes between rows
     */
    void reached(
        ProbePoint point, MemorySegment memory, long offset, long rows, long rowBytes, long stride);
  }

  private static final @Nullable Hook HOOK = ProbeInstaller.seal();

  /** Whether a hook listens; constant for the life of the JVM. */
  public static final boolean ON = HOOK != null;

  private Probe() {}

  /** Tells the hook of a region of rows. */
  public static void reach(
      ProbePoint point, MemorySegment memory, long offset, long rows, long rowBytes, long stride) {
    if (HOOK != null && rows > 0 && rowBytes > 0) {
      HOOK.reached(point, memory, offset, rows, rowBytes, stride);
    }
  }

  /** Tells the hook of a stretch of an array. */
  public static void reach(ProbePoint point, float[] array, int from, int length) {
    reach(point, MemorySegment.ofArray(array), 4L * from, 1, 4L * length, 0);
  }

  /** Tells the hook of a stretch of an array. */
  public static void reach(ProbePoint point, double[] array, int from, int length) {
    reach(point, MemorySegment.ofArray(array), 8L * from, 1, 8L * length, 0);
  }

  /** Tells the hook of a stretch of an array. */
  public static void reach(ProbePoint point, long[] array, int from, int length) {
    reach(point, MemorySegment.ofArray(array), 8L * from, 1, 8L * length, 0);
  }
}
