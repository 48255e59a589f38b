package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R8;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RDX;
import static dev.regolith.kernels.machine.Gpr.RSI;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPERM2F128;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKHPD;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKHPS;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKLPD;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKLPS;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * {@link PanelCopy#turn} in machine code: eight by eight words at a time, in vectors of 256 bits
 * whatever the kernels use.
 */
final class MachineTransposition {
  /** Words along either side of what is turned at a time. */
  static final int SIDE = 8;

  private static final int BITS = 256;
  private static final int VECTOR = BITS / Byte.SIZE;
  private static final int HIGH = 32;

  /** Two vectors of sums. */
  private static final int SUMS = 2 * VECTOR / Long.BYTES;

  private MachineTransposition() {}

  /**
   * Copies columns that each lie in a row into rows.
   *
   * @param depth a multiple of {@link #SIDE}
   * @param sums room for {@link #SUMS} longs
   * @return the sum of the words, as unsigned integers
   */
  static long turn(
      MemorySegment source, long from, long stride, MemorySegment target, int depth, long[] sums) {
    Bounds.check(from, stride, TILE_COLUMNS, 4L * depth, source.byteSize());
    Bounds.check(0, 0, 1, 4L * depth * TILE_COLUMNS, target.byteSize());
    Bounds.check(0, 0, 1, SUMS, sums.length);
    try {
      Turn.CALL.invokeExact(
          source,
          from,
          stride,
          target,
          Bounds.turns(depth / SIDE),
          MemorySegment.ofArray(sums),
          4L * SIDE - SIDE * stride,
          SIDE * stride - 4L * depth,
          4L * (SIDE - (long) depth * TILE_COLUMNS));
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
    return sum(sums);
  }

  private static long sum(long[] sums) {
    long all = 0;
    long high = 0;
    for (int lane = 0; lane < SUMS / 2; lane++) {
      all += sums[lane];
      high += sums[SUMS / 2 + lane];
    }
    return all - (high << HIGH) + high;
  }

  private static final class Turn {
    private static final Gpr FROM = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr TO = RCX;
    private static final Gpr TURNS = R8;
    private static final Gpr SUMS = R9;
    private static final Gpr NEXT_STEPS = R10;
    private static final Gpr NEXT_COLUMNS = R11;
    private static final Gpr LEFT = RAX;
    private static final Gpr GROUPS = RBX;

    // Registers: 0 to 7 hold a column each, and are used again as they become free.
    private static final int PAIRS = 8;
    private static final int ALL = 12;
    private static final int UPPER = 13;
    private static final int OUT = 14;
    private static final int SHIFTED = 15;

    // Immediates.
    private static final int LOWER_HALVES = 0x20;
    private static final int UPPER_HALVES = 0x31;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllplplll");

    private static byte[] code() {
      var code = new Assembler(BITS, false);
      code.enter();
      code.add(FROM, RSI);
      code.move(NEXT_STEPS, code.parameter(0));
      code.move(NEXT_COLUMNS, code.parameter(1));
      code.zero(ALL);
      code.zero(UPPER);
      code.set(GROUPS, TILE_COLUMNS / SIDE);
      code.countDown(
          GROUPS,
          () -> {
            code.move(LEFT, TURNS);
            code.countDown(LEFT, () -> square(code));
            code.add(FROM, NEXT_COLUMNS);
            code.add(TO, code.parameter(2));
          });
      code.store(new Memory(SUMS, 0), ALL);
      code.store(new Memory(SUMS, VECTOR), UPPER);
      code.leave();
      return code.bytes();
    }

    private static void square(Assembler code) {
      for (int column = 0; column < SIDE; column++) {
        code.load(column, new Memory(FROM, 0));
        // Before anything is done to them: what is packed has to agree with what was read.
        code.vector(VPADDQ, ALL, ALL, column);
        code.shiftRight(SHIFTED, column, HIGH);
        code.vector(VPADDQ, UPPER, UPPER, SHIFTED);
        code.add(FROM, STRIDE);
      }
      code.add(FROM, NEXT_STEPS);
      for (int pair = 0; pair < SIDE / 2; pair++) {
        code.vector(VUNPCKLPS, PAIRS + pair, 2 * pair, 2 * pair + 1);
        code.vector(VUNPCKHPS, 2 * pair, 2 * pair, 2 * pair + 1);
      }
      // Of four columns each: their first, second, third and fourth steps, and those four later.
      int[] left = fours(code, 0);
      int[] right = fours(code, 2);
      for (int step = 0; step < SIDE; step++) {
        int halves = step < SIDE / 2 ? LOWER_HALVES : UPPER_HALVES;
        int four = step % (SIDE / 2);
        code.vector(VPERM2F128, OUT, left[four], right[four], halves);
        code.store(new Memory(TO, 4 * TILE_COLUMNS * step), OUT);
      }
      code.add(TO, 4 * TILE_COLUMNS * SIDE);
    }

    private static int[] fours(Assembler code, int pair) {
      int low = PAIRS + pair;
      int high = 2 * pair;
      int[] to = {high + 1, low, high + 3, high};
      code.vector(VUNPCKLPD, to[0], low, low + 1);
      code.vector(VUNPCKHPD, to[1], low, low + 1);
      code.vector(VUNPCKLPD, to[2], high, high + 2);
      code.vector(VUNPCKHPD, to[3], high, high + 2);
      return to;
    }
  }
}
