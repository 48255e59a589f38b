package dev.regolith.kernels.machine;

import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RSI;

import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * What the processor says of itself: the instruction CPUID. Whether the system keeps the registers
 * of threads that do not run is for the JVM to find out, which computes with vectors of its own.
 */
public final class Processor {
  private static final int NAME = 0;
  private static final long AUTH = 0x68747541; // of "AuthenticAMD"
  private static final long C_AMD = 0x444D4163;
  private static final int FEATURES = 1;
  private static final int EXTENDED_FEATURES = 7;
  private static final int LAST_EXTENDED = 0x80000000;
  private static final int LEVEL_TWO = 0x80000006;
  private static final int USUAL_LEVEL_TWO = 512 << 10;
  private static final int LEAST_LEVEL_TWO = 256 << 10;
  private static final int MOST_LEVEL_TWO = 4 << 20;
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

  /**
   * Whether it is one of AMD's.
   *
   * @throws IllegalStateException if there is no {@link MachineCode} to ask it with
   */
  public static boolean isAmd() {
    Answer name = ask(NAME);
    return name.ebx() == AUTH && name.ecx() == C_AMD;
  }

  /**
   * Size of the second-level cache; 512 KiB if the processor does not say, and between 256 KiB and
   * 4 MiB whatever it says.
   *
   * @throws IllegalStateException if there is no {@link MachineCode} to ask it with
   */
  public static int levelTwoBytes() {
    if (Integer.compareUnsigned((int) ask(LAST_EXTENDED).eax(), LEVEL_TWO) < 0) {
      return USUAL_LEVEL_TWO;
    }
    long bytes = ask(LEVEL_TWO).ecx() >>> 16 << 10;
    return bytes == 0 ? USUAL_LEVEL_TWO : Math.clamp(bytes, LEAST_LEVEL_TWO, MOST_LEVEL_TWO);
  }

  private static boolean has(long features, long extended) {
    return (ask(FEATURES).ecx() & features) == features
        && (ask(EXTENDED_FEATURES).ebx() & extended) == extended;
  }

  private record Answer(long eax, long ebx, long ecx) {}

  private static Answer ask(int leaf) {
    if (!MachineCode.absence().isEmpty()) {
      throw new IllegalStateException(MachineCode.absence());
    }
    var answer = new long[3];
    try {
      Asking.CALL.invoke(MemorySegment.ofArray(answer), (long) leaf);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
    return new Answer(answer[0], answer[1], answer[2]);
  }

  /** Placed when it is first needed, once for all questions. */
  private static final class Asking {
    static final MethodHandle CALL = MachineCode.caller(code(), "pl");
  }

  private static byte[] code() {
    var code = new Assembler(256, false);
    code.push(RBX);
    code.move(R10, RDI);
    code.move(RAX, RSI); // of which CPUID reads the lower half
    code.set(RCX, 0);
    code.cpuid();
    code.move(new Memory(R10, 0), RAX);
    code.move(new Memory(R10, 8), RBX);
    code.move(new Memory(R10, 16), RCX);
    code.pop(RBX);
    code.ret();
    return code.bytes();
  }
}
