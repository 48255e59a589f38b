package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.machine.Gpr.R8;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RDX;
import static dev.regolith.kernels.machine.Gpr.RSI;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Objects;

/**
 * Asks for what is going to be read of a cached page beside its words: each of it would be a miss
 * of its own. Changes nothing.
 */
final class MachinePrefetch {
  private static final int LINE = 64;

  /** Lines that a record's coefficients are, which start where a line does. */
  private static final long COEFFICIENT_LINES = 8L * PackedB.GRAINS / LINE;

  /** More than a page has: what is asked for here is never long. */
  private static final long MOST_LINES = 1 << 12;

  static final MethodHandle CALL = MachineCode.caller(code(), "pllpllpll");

  private static final MethodHandle LINES = MachineCode.caller(lines(), "pll");

  private MachinePrefetch() {}

  /**
   * Asks for the tolerance coefficients of a matrix's check blocks side by side, in their first
   * k-block.
   */
  static void coefficients(PackedB packed, long matrix) {
    try {
      for (int block = 0; block < packed.blocks(); block++) {
        long at = packed.recordOffset(matrix, block, 0) + packed.coefficients();
        LINES.invokeExact(packed.records(), at, COEFFICIENT_LINES);
      }
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /**
   * Asks for digests and seals of some panels that have one k-block, and the check record of a
   * block.
   */
  static void codes(PackedB packed, long matrix, long block, int panels) {
    long panel = packed.panel(matrix, block);
    long digests = (long) Digest.length(packed.lanes()) * panels;
    try {
      CALL.invokeExact(
          MemorySegment.ofArray(packed.panelDigests()),
          8L * packed.panelDigestAt(panel, 0),
          lines(8 * digests),
          MemorySegment.ofArray(packed.panelSeals()),
          8L * packed.panelSealAt(panel, 0),
          lines(8L * Seal.SUMS * panels),
          packed.records(),
          packed.recordOffset(matrix, block, 0),
          lines(packed.recordBytes()));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** Lines that so many bytes lie in, wherever they start. */
  private static long lines(long bytes) {
    return 1 + Objects.checkIndex(bytes / LINE + 1, MOST_LINES);
  }

  private static byte[] code() {
    Assembler code = VectorShapes.assembler();
    code.enter();
    near(code, RDI, RSI, RDX);
    near(code, RCX, R8, R9);
    code.move(RDI, code.parameter(0));
    code.move(RSI, code.parameter(1));
    code.move(RDX, code.parameter(2));
    near(code, RDI, RSI, RDX);
    code.leave();
    return code.bytes();
  }

  private static byte[] lines() {
    Assembler code = VectorShapes.assembler();
    code.enter();
    near(code, RDI, RSI, RDX);
    code.leave();
    return code.bytes();
  }

  private static void near(Assembler code, Gpr memory, Gpr offset, Gpr lines) {
    code.add(memory, offset);
    code.countDown(
        lines,
        () -> {
          VectorShapes.ask(code, new Memory(memory, 0));
          code.add(memory, LINE);
        });
  }
}
