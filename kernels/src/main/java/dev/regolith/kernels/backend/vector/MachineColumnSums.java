package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MachineChains.VECTOR;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
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
import static dev.regolith.kernels.machine.VectorOp.VADDPS;
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static dev.regolith.kernels.machine.VectorOp.VMULPS;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The sums of columns that {@link ColumnSums} is made of, in machine code: rows are walked
 * downwards, two vectors of columns at a time, whose sums stay in registers meanwhile.
 */
final class MachineColumnSums {
  /** Vectors of columns side by side. */
  private static final int PAIR = 2;

  /** What is added up of the columns of a matrix. */
  enum Kind {
    /** Words with the signs of their rows. */
    SIGNED(1),
    /** The same, words as they are, and their squares. */
    SURVEYED(3),
    /** Words times three factors of their row: two as they are, their squares with the third. */
    PREDICTED(3);

    /** How many sums. */
    final int sums;

    Kind(int sums) {
      this.sums = sums;
    }
  }

  /** Linked when they are first needed, and constant from then on. */
  private static final class Signed {
    static final MethodHandle CALL = caller(Kind.SIGNED);
  }

  private static final class Surveyed {
    static final MethodHandle CALL = caller(Kind.SURVEYED);
  }

  private static final class Predicted {
    static final MethodHandle CALL = caller(Kind.PREDICTED);
  }

  private MachineColumnSums() {}

  /**
   * Adds what rows of full vectors contribute to the sums of their columns.
   *
   * @param width of a row, a multiple of two vectors
   * @param factors of the rows: signs, or those of {@link Kind#PREDICTED}
   * @param factor place of the first row's
   * @param sum place of the first column's sum
   */
  static void add(
      Kind kind,
      MemorySegment memory,
      long offset,
      long stride,
      int rows,
      int width,
      MemorySegment factors,
      long factor,
      MemorySegment sums,
      long sum) {
    int factorRows = kind == Kind.PREDICTED ? kind.sums : 1;
    Bounds.check(offset, stride, rows, 4L * width, memory.byteSize());
    Bounds.check(4 * factor, ColumnSums.BYTES, factorRows, 4L * rows, factors.byteSize());
    Bounds.check(4 * sum, ColumnSums.BYTES, kind.sums, 4L * width, sums.byteSize());
    long pairs = Bounds.turns(width / (PAIR * LANES));
    try {
      switch (kind) {
        case SIGNED ->
            Signed.CALL.invokeExact(
                memory, offset, stride, (long) rows, pairs, factors, 4 * factor, sums, 4 * sum);
        case SURVEYED ->
            Surveyed.CALL.invokeExact(
                memory, offset, stride, (long) rows, pairs, factors, 4 * factor, sums, 4 * sum);
        case PREDICTED ->
            Predicted.CALL.invokeExact(
                memory, offset, stride, (long) rows, pairs, factors, 4 * factor, sums, 4 * sum);
      }
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
  }

  private static final Gpr COLUMN = RDI;
  private static final Gpr STRIDE = RDX;
  private static final Gpr ROWS = RCX;
  private static final Gpr PAIRS = R8;
  private static final Gpr FACTORS = R9;
  private static final Gpr SUMS = RBX;

  private static final Gpr FROM = R10;
  private static final Gpr FACTOR = R11;
  private static final Gpr LEFT = RAX;

  /** Registers: two for every sum, then the row's factors, then words. */
  private static final int BROADCAST = 6;

  private static final int X = 9;

  private static MethodHandle caller(Kind kind) {
    return MachineCode.caller(code(kind), "pllllplpl");
  }

  private static byte[] code(Kind kind) {
    Assembler code = VectorShapes.assembler();
    code.enter();
    code.add(COLUMN, RSI);
    code.add(FACTORS, code.parameter(0));
    code.move(SUMS, code.parameter(1));
    code.add(SUMS, code.parameter(2));
    code.countDown(
        PAIRS,
        () -> {
          code.move(FROM, COLUMN);
          code.move(FACTOR, FACTORS);
          code.move(LEFT, ROWS);
          for (int i = 0; i < PAIR * kind.sums; i++) {
            code.load(i, place(i));
          }
          code.countDown(
              LEFT,
              () -> {
                row(code, kind);
                code.add(FROM, STRIDE);
                code.add(FACTOR, Float.BYTES);
              });
          for (int i = 0; i < PAIR * kind.sums; i++) {
            code.store(place(i), i);
          }
          code.add(COLUMN, PAIR * VECTOR);
          code.add(SUMS, PAIR * VECTOR);
        });
    code.leave();
    return code.bytes();
  }

  private static Memory place(int register) {
    return new Memory(SUMS, register / PAIR * ColumnSums.BYTES + register % PAIR * VECTOR);
  }

  private static void row(Assembler code, Kind kind) {
    int factors = kind == Kind.PREDICTED ? kind.sums : 1;
    for (int i = 0; i < factors; i++) {
      code.broadcast(BROADCAST + i, new Memory(FACTOR, i * ColumnSums.BYTES));
    }
    for (int i = 0; i < PAIR; i++) {
      var words = new Memory(FROM, i * VECTOR);
      int x = X + i;
      if (kind == Kind.SIGNED) {
        code.vector(VFMADD231PS, i, BROADCAST, words);
        continue;
      }
      code.load(x, words);
      code.vector(VFMADD231PS, i, BROADCAST, x);
      if (kind == Kind.SURVEYED) {
        code.vector(VADDPS, PAIR + i, PAIR + i, x);
        code.vector(VFMADD231PS, 2 * PAIR + i, x, x);
      } else {
        code.vector(VFMADD231PS, PAIR + i, BROADCAST + 1, x);
        code.vector(VMULPS, X + PAIR + i, x, BROADCAST + 2);
        code.vector(VFMADD231PS, 2 * PAIR + i, X + PAIR + i, x);
      }
    }
  }
}
