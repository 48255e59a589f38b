package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A kernel in machine code, written by {@link MachineKernelWriter}. It is as fast from its first
 * call as it ever gets, whatever else the JIT has seen.
 *
 * <p>Calls are {@code critical}: the thread stays in the state of Java code, so that arrays do not
 * move meanwhile, and a sweep takes some ten microseconds. Segments are passed as such, which keeps
 * their arenas from being closed during the call.
 */
@SuppressWarnings("restricted") // calling machine code is what this class is for
final class MachineKernel extends MicroKernel {
  private final MemorySegment code;

  MachineKernel(byte[] code) {
    this.code = MachineCode.place(code);
  }

  /** Its handle is linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL =
        Linker.nativeLinker()
            .downcallHandle(
                FunctionDescriptor.ofVoid(
                    ValueLayout.ADDRESS, // strip
                    ValueLayout.ADDRESS, // panels
                    ValueLayout.JAVA_LONG, // offset
                    ValueLayout.JAVA_LONG, // stride
                    ValueLayout.JAVA_LONG, // count
                    ValueLayout.JAVA_LONG, // depth
                    ValueLayout.ADDRESS, // tiles
                    ValueLayout.JAVA_LONG, // from
                    ValueLayout.JAVA_LONG, // to
                    ValueLayout.ADDRESS, // digest
                    ValueLayout.JAVA_LONG, // digestAt
                    ValueLayout.JAVA_LONG, // ahead
                    ValueLayout.ADDRESS, // sums
                    ValueLayout.ADDRESS, // c
                    ValueLayout.JAVA_LONG, // cAt
                    ValueLayout.JAVA_LONG), // cStride
                Linker.Option.critical(true));
  }

  @Override
  float sweep(
      float[] strip,
      MemorySegment panels,
      long offset,
      long stride,
      int count,
      int depth,
      float[] tiles,
      int from,
      int to,
      long[] digest,
      int digestAt,
      long ahead,
      long[] sums,
      MemorySegment c,
      long cAt,
      long cStride) {
    try {
      Linked.CALL.invokeExact(
          code,
          MemorySegment.ofArray(strip),
          panels,
          offset,
          stride,
          (long) count,
          (long) depth,
          MemorySegment.ofArray(tiles),
          4L * from,
          4L * to,
          MemorySegment.ofArray(digest),
          8L * digestAt,
          ahead,
          MemorySegment.ofArray(sums),
          c,
          cAt,
          cStride);
      return 0;
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a downcall throws nothing of its own", e);
    }
  }
}
