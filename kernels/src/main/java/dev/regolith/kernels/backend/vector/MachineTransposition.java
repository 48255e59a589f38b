package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R12;
import static dev.regolith.kernels.machine.Gpr.R8;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RDX;
import static dev.regolith.kernels.machine.Gpr.RSI;
import static dev.regolith.kernels.machine.VectorOp.VINSERTF128;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKHPD;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKHPS;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKLPD;
import static dev.regolith.kernels.machine.VectorOp.VUNPCKLPS;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
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
      MemorySegment source,
      long from,
      long stride,
      MemorySegment target,
      long at,
      int depth,
      long[] sums) {
    Bounds.check(from, stride, TILE_COLUMNS, 4L * depth, source.byteSize());
    Bounds.check(at, 0, 1, 4L * depth * TILE_COLUMNS, target.byteSize());
    Bounds.check(0, 0, 1, SUMS, sums.length);
    try {
      Turn.CALL.invokeExact(
          source,
          from,
          stride,
          target,
          at,
          Bounds.turns(depth / SIDE),
          MemorySegment.ofArray(sums),
          -TILE_COLUMNS * stride);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
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
    private static final Gpr TURNS = R9;
    private static final Gpr SUMS = RBX;
    private static final EightRows COLUMNS = new EightRows(FROM, STRIDE, R10, R11, R12);
    private static final Gpr GROUPS = RAX;

    /** Words of a cache line. */
    private static final int LINE = 16;

    private static final int FOUR = SIDE / 2;

    // Registers: the first four hold columns, then steps; the next four are halfway.
    private static final int LOW = FOUR;
    private static final int ALL = 12;
    private static final int UPPER = 13;
    private static final int SHIFTED = 15;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllpllpl");

    private static byte[] code() {
      var code = new Assembler(BITS, false);
      code.enter();
      code.add(FROM, RSI);
      code.add(TO, R8);
      COLUMNS.open(code);
      code.zero(ALL);
      code.zero(UPPER);
      code.inTurns(TURNS, LINE / SIDE, squares -> steps(code, squares));
      code.move(SUMS, code.parameter(0));
      code.store(new Memory(SUMS, 0), ALL);
      code.store(new Memory(SUMS, VECTOR), UPPER);
      code.leave();
      return code.bytes();
    }

    /** Some steps of all columns, eight columns at a time: whole lines are read, and written. */
    private static void steps(Assembler code, int squares) {
      int read = squares * 4 * SIDE;
      int written = squares * 4 * SIDE * TILE_COLUMNS;
      code.set(GROUPS, TILE_COLUMNS / SIDE);
      code.countDown(
          GROUPS,
          () -> {
            for (int i = 0; i < squares; i++) {
              square(code);
            }
            code.address(FROM, new Memory(FROM, STRIDE, SIDE, -read));
            code.add(TO, 4 * SIDE - written);
          });
      code.add(FROM, code.parameter(1));
      code.add(FROM, read);
      code.add(TO, written - 4 * TILE_COLUMNS);
    }

    /**
     * Four steps at a time of all columns: of a column and the one four behind it in the halves of
     * a register, so that within the halves everything falls into place.
     */
    private static void square(Assembler code) {
      for (int step = 0; step < SIDE; step += FOUR) {
        for (int column = 0; column < FOUR; column++) {
          code.loadShort(column, COLUMNS.row(column, 4 * step));
          code.vector(VINSERTF128, column, column, COLUMNS.row(column + FOUR, 4 * step), 1);
          // Before anything is done to them: what is packed has to agree with what was read.
          code.vector(VPADDQ, ALL, ALL, column);
          code.shiftRight(SHIFTED, column, HIGH);
          code.vector(VPADDQ, UPPER, UPPER, SHIFTED);
        }
        for (int pair = 0; pair < FOUR; pair += 2) {
          code.vector(VUNPCKLPS, LOW + pair, pair, pair + 1);
          code.vector(VUNPCKHPS, LOW + pair + 1, pair, pair + 1);
        }
        for (int half = 0; half < 2; half++) {
          code.vector(VUNPCKLPD, 2 * half, LOW + half, LOW + half + 2);
          code.vector(VUNPCKHPD, 2 * half + 1, LOW + half, LOW + half + 2);
        }
        for (int i = 0; i < FOUR; i++) {
          code.store(new Memory(TO, 4 * TILE_COLUMNS * (step + i)), i);
        }
      }
      code.add(FROM, 4 * SIDE);
      code.add(TO, 4 * TILE_COLUMNS * SIDE);
    }
  }
}
