package dev.regolith.kernels;

import dev.regolith.kernels.backend.vector.FmaPeak;
import java.util.OptionalDouble;

/** What this machine and JVM can do at best. */
public final class Machine {
  private Machine() {}

  /** Whether the Vector API is there. */
  public static boolean hasVectorModule() {
    return Backends.vectorModulePresent();
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
