package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * A kernel in machine code, written by {@link MachineKernelWriter}. It is as fast from its first
 * call as it ever gets, whatever else the JIT has seen.
 *
 * <p>A sweep through a check block's panels takes some ten microseconds at most.
 */
final class MachineKernel extends MicroKernel {
  private final MemorySegment code;

  MachineKernel(byte[] code) {
    this.code = MachineCode.place(code);
  }

  /** Linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL = MachineCode.caller("ppllllpllpllppll");
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
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
  }
}
