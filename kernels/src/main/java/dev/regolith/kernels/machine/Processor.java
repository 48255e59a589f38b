package dev.regolith.kernels.machine;

import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;

import dev.regolith.kernels.machine.Assembler.Memory;
import java.lang.foreign.MemorySegment;

/**
 * What the processor says of itself: the instruction CPUID. Whether the system keeps the registers
 * of threads that do not run is for the JVM to find out, which computes with vectors of its own.
 */
public final class Processor {
  private static final int FEATURES = 1;
  private static final int EXTENDED_FEATURES = 7;
  private static final long FMA = 1L << 12; // of the first, in ECX
  private static final long AVX2 = 1L << 5; // of the second, in EBX
  private static final long AVX512F = 1L << 16;
  private static final long AVX512VL = 1L << 31;

  private Processor() {}

  /**
   * Whether it has the instructions of kernels that use 16 registers.
   *
   * @throws IllegalStateException if there is no {@link MachineCode} to ask it with
   */
  public static boolean hasAvx2AndFma() {
    return has(FMA, AVX2);
  }

  /**
   * Whether it has the instructions of kernels that use 32 registers, of any length.
   *
   * @throws IllegalStateException if there is no {@link MachineCode} to ask it with
   */
  public static boolean hasAvx512() {
    return has(FMA, AVX2 | AVX512F | AVX512VL);
  }

  private static boolean has(long features, long extended) {
    var answers = new long[2];
    try {
      MachineCode.caller(code(), "p").invoke(MemorySegment.ofArray(answers));
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
    return (answers[0] & features) == features && (answers[1] & extended) == extended;
  }

  private static byte[] code() {
    var code = new Assembler(256, false);
    code.push(RBX);
    code.move(R10, RDI);
    code.set(RAX, FEATURES);
    code.set(RCX, 0);
    code.cpuid();
    code.move(new Memory(R10, 0), RCX);
    code.set(RAX, EXTENDED_FEATURES);
    code.set(RCX, 0);
    code.cpuid();
    code.move(new Memory(R10, 8), RBX);
    code.pop(RBX);
    code.ret();
    return code.bytes();
  }
}
