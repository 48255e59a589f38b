package dev.regolith.kernels;

import dev.regolith.kernels.backend.vector.FmaPeak;
import dev.regolith.kernels.memory.NativeMemory;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/** What this machine and JVM can do at best. */
public final class Machine {
  private Machine() {}

  /** Whether the Vector API is there. */
  public static boolean hasVectorModule() {
    return Backends.vectorModulePresent();
  }

  /**
   * Bytes of a huge page, if tensors, packed matrices and caches of at least that size ask for
   * some; empty where Linux has none on request, native access is denied, or {@code
   * -Ddev.regolith.kernels.hugePages=off} declines them.
   */
  public static OptionalLong hugePageBytes() {
    return NativeMemory.hugePageBytes();
  }

  /**
   * Measures the float32 multiply-add rate of the calling thread's core, from registers alone, at
   * the vector width that sessions use.
   *
   * @param seconds how long; where kernels are in bytecode, a JVM's first call has the loop
   *     compiled before
   * @return GFLOP/s, or empty where the Vector API is missing, or HotSpot does not compile the loop
   *     that it would have to
   */
  public static OptionalDouble fmaPeak(double seconds) {
    return hasVectorModule() ? FmaPeak.measure(seconds) : OptionalDouble.empty();
  }
}
