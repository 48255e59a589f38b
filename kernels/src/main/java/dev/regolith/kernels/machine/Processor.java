package dev.regolith.kernels.machine;

import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;

import dev.regolith.kernels.machine.Assembler.Memory;
import java.lang.foreign.MemorySegment;

/** What the processor says of itself: the instruction CPUID. */
public final class Processor {
  private static final int FEATURES = 1;
  private static final int EXTENDED_FEATURES = 7;
  private static final long FMA = 1L << 12; // of the first, in ECX
  private static final long AVX2 = 1L << 5; // of the second, in EBX

  private Processor() {}

  /**
   * Whether it has the instructions that kernels for vectors of 256 bits consist of.
   *
   * @throws IllegalStateException if there is no {@link MachineCode} to ask it with
   */
  public static boolean hasAvx2AndFma() {
    var answers = new long[2];
    try {
      MachineCode.caller(code(), "p").invoke(MemorySegment.ofArray(answers));
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
    return (answers[0] & FMA) != 0 && (answers[1] & AVX2) != 0;
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
