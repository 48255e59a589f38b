package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MicroKernel.ROW;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R12;
import static dev.regolith.kernels.machine.Gpr.R8;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBP;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RDX;
import static dev.regolith.kernels.machine.Gpr.RSI;
import static dev.regolith.kernels.machine.VectorOp.VADDPS;
import static dev.regolith.kernels.machine.VectorOp.VANDPS;
import static dev.regolith.kernels.machine.VectorOp.VCMPPS;
import static dev.regolith.kernels.machine.VectorOp.VFMADD213PS;
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static dev.regolith.kernels.machine.VectorOp.VMAXPS;
import static dev.regolith.kernels.machine.VectorOp.VMULPS;
import static dev.regolith.kernels.machine.VectorOp.VPADDD;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPERM2F128;
import static dev.regolith.kernels.machine.VectorOp.VPERMILPS;
import static dev.regolith.kernels.machine.VectorOp.VSUBPS;

import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Passes of {@link SoftmaxPass} in machine code, for vectors of 256 bits: the same operations in
 * the same order, hence the same bits, two vectors at a time.
 */
final class MachineSoftmax {
  private static final int LANES = 8;
  private static final int VECTOR = 4 * LANES;

  /** Whether vectors have that length, and kernels are in machine code. */
  static final boolean SERVES = VectorShapes.MACHINE_CODE && VectorShapes.LANES == LANES;

  /** Vectors in a turn. */
  private static final int PAIR = 2;

  // Immediates.
  private static final int NOT_LESS_OR_NAN = 5;
  private static final int SWAP_HALVES = 0x01;
  private static final int SWAP_PAIRS = 0x4E;
  private static final int SWAP_NEIGHBOURS = 0xB1;

  /** A vector each. */
  private static final float[] CONSTANTS = {
    Exponential.LOG2_E,
    Exponential.ROUNDER,
    -Exponential.LN2_HIGH,
    -Exponential.LN2_LOW,
    Exponential.C6,
    Exponential.C5,
    Exponential.C4,
    Exponential.C3,
    Exponential.C2,
    1,
    Exponential.SMALLEST,
    Float.NEGATIVE_INFINITY
  };

  private static final int LOG2_E = 0;
  private static final int ROUNDER = 1;
  private static final int LN2_HIGH = 2;
  private static final int LN2_LOW = 3;
  private static final int C6 = 4;
  private static final int C2 = 8;
  private static final int ONE = 9;
  private static final int SMALLEST = 10;
  private static final int MINUS_INFINITY = 11;

  private static final MemorySegment VECTORS = MachineCode.constants(LANES, CONSTANTS);

  private MachineSoftmax() {}

  /**
   * See {@link SoftmaxPass#maxima}. Of zeros with different signs either may be found, which no
   * result shows.
   */
  static void maxima(float[] scores, int rows, int columns, float[] found, int foundAt) {
    Bounds.check(0, ROW, rows, columns, scores.length);
    Bounds.check(foundAt, 0, 1, rows, found.length);
    try {
      Maxima.CALL.invokeExact(
          MemorySegment.ofArray(scores),
          (long) rows,
          Bounds.turns(columns / (PAIR * LANES)),
          MemorySegment.ofArray(found),
          4L * foundAt,
          VECTORS);
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
  }

  /** See {@link SoftmaxPass#weigh}. */
  static void weigh(
      float[] scores,
      int rows,
      int columns,
      float[] references,
      int first,
      float[] weights,
      float[] sums,
      float[] copies,
      long[] digests,
      int digest) {
    Bounds.check(0, ROW, rows, columns, scores.length);
    Bounds.check(first, 0, 1, rows, references.length);
    Bounds.check(first, 0, 1, rows, sums.length);
    Bounds.check(first, 0, 1, rows, copies.length);
    Bounds.check(0, MicroKernel.STRIP_STRIDE, rows, columns, weights.length);
    Bounds.check(digest, 0, 1, VectorShapes.WIDE_LANES, digests.length);
    try {
      Weigh.CALL.invokeExact(
          MemorySegment.ofArray(scores),
          (long) rows,
          Bounds.turns(columns / (PAIR * LANES)),
          MemorySegment.ofArray(references),
          4L * first,
          MemorySegment.ofArray(weights),
          MemorySegment.ofArray(sums),
          MemorySegment.ofArray(copies),
          MemorySegment.ofArray(digests),
          8L * digest,
          VECTORS);
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
  }

  private static final class Maxima {
    private static final Gpr FIRST = RDI;
    private static final Gpr ROWS = RSI;
    private static final Gpr TURNS = RDX;
    private static final Gpr FOUND = RCX;
    private static final Gpr CONSTANT = R9;
    private static final Gpr FROM = R10;
    private static final Gpr LEFT = RAX;

    private static final int MAX = 0;
    private static final int X = 2;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllplp");

    private static byte[] code() {
      var code = new Assembler(8 * VECTOR, false);
      code.enter();
      code.add(FOUND, R8);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, FIRST);
            code.move(LEFT, TURNS);
            for (int i = 0; i < PAIR; i++) {
              code.load(MAX + i, new Memory(CONSTANT, MINUS_INFINITY * VECTOR));
            }
            code.countDown(
                LEFT,
                () -> {
                  for (int i = 0; i < PAIR; i++) {
                    code.load(X + i, new Memory(FROM, i * VECTOR));
                    code.vector(VMAXPS, MAX + i, X + i, MAX + i); // what is no number stays out
                  }
                  code.add(FROM, PAIR * VECTOR);
                });
            code.vector(VMAXPS, MAX, MAX + 1, MAX);
            code.vector(VPERM2F128, X, MAX, MAX, SWAP_HALVES);
            code.vector(VMAXPS, MAX, X, MAX);
            code.vector(VPERMILPS, X, 0, MAX, SWAP_PAIRS);
            code.vector(VMAXPS, MAX, X, MAX);
            code.vector(VPERMILPS, X, 0, MAX, SWAP_NEIGHBOURS);
            code.vector(VMAXPS, MAX, X, MAX);
            code.storeFloat(new Memory(FOUND, 0), MAX);
            code.add(FOUND, 4);
            code.add(FIRST, 4 * ROW);
          });
      code.leave();
      return code.bytes();
    }
  }

  private static final class Weigh {
    private static final Gpr FIRST = RDI;
    private static final Gpr ROWS = RSI;
    private static final Gpr TURNS = RDX;
    private static final Gpr REFERENCES = RCX;
    private static final Gpr WEIGHTS = R9;
    private static final Gpr SUMS = RBX;
    private static final Gpr COPIES = RBP;
    private static final Gpr DIGEST = R8;
    private static final Gpr CONSTANT = R12;
    private static final Gpr FROM = R10;
    private static final Gpr TO = R11;
    private static final Gpr LEFT = RAX;

    // Registers; of those that come in pairs, the first.
    private static final int REFERENCE = 0;
    private static final int SUM = 1;
    private static final int WORDS = 3;
    private static final int KEPT_LOG2_E = 4;
    private static final int KEPT_ROUNDER = 5;
    private static final int KEPT_LN2_HIGH = 6;
    private static final int KEPT_ONE = 7;
    private static final int T = 8;
    private static final int Z = 10;
    private static final int P = 12;
    private static final int VISIBLE = 14;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllplpppplp");

    private static byte[] code() {
      var code = new Assembler(8 * VECTOR, false);
      code.enter();
      code.add(REFERENCES, R8);
      code.move(SUMS, code.parameter(0));
      code.add(SUMS, R8);
      code.move(COPIES, code.parameter(1));
      code.add(COPIES, R8);
      code.move(DIGEST, code.parameter(2));
      code.add(DIGEST, code.parameter(3));
      code.move(CONSTANT, code.parameter(4));
      code.load(WORDS, new Memory(DIGEST, 0));
      code.load(KEPT_LOG2_E, constant(LOG2_E));
      code.load(KEPT_ROUNDER, constant(ROUNDER));
      code.load(KEPT_LN2_HIGH, constant(LN2_HIGH));
      code.load(KEPT_ONE, constant(ONE));
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, FIRST);
            code.move(TO, WEIGHTS);
            code.move(LEFT, TURNS);
            code.broadcast(REFERENCE, new Memory(REFERENCES, 0));
            code.zero(SUM);
            code.zero(SUM + 1);
            code.countDown(
                LEFT,
                () -> {
                  exponentials(code);
                  for (int i = 0; i < PAIR; i++) {
                    code.store(new Memory(TO, i * VECTOR), P + i);
                    code.vector(VADDPS, SUM + i, SUM + i, P + i);
                    code.vector(VPADDQ, WORDS, WORDS, P + i);
                  }
                  code.add(FROM, PAIR * VECTOR);
                  code.add(TO, PAIR * VECTOR);
                });
            // The halving of sixteen lanes.
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.vector(VPERM2F128, SUM + 1, SUM, SUM, SWAP_HALVES);
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.vector(VPERMILPS, SUM + 1, 0, SUM, SWAP_PAIRS);
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.vector(VPERMILPS, SUM + 1, 0, SUM, SWAP_NEIGHBOURS);
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.storeFloat(new Memory(SUMS, 0), SUM);
            code.storeFloat(new Memory(COPIES, 0), SUM);
            code.add(SUMS, 4);
            code.add(COPIES, 4);
            code.add(REFERENCES, 4);
            code.add(FIRST, 4 * ROW);
            code.add(WEIGHTS, 4 * MicroKernel.STRIP_STRIDE);
          });
      code.store(new Memory(DIGEST, 0), WORDS);
      code.leave();
      return code.bytes();
    }

    private static Memory constant(int index) {
      return new Memory(CONSTANT, index * VECTOR);
    }

    /** {@link VectorFunctions#expOfModerate} of two vectors, each step of both before the next. */
    private static void exponentials(Assembler code) {
      for (int i = 0; i < PAIR; i++) {
        code.load(T + i, new Memory(FROM, i * VECTOR));
        code.vector(VSUBPS, T + i, T + i, REFERENCE);
        code.vector(VCMPPS, VISIBLE + i, T + i, constant(SMALLEST), NOT_LESS_OR_NAN);
        code.load(Z + i, constant(ROUNDER));
        code.vector(VFMADD231PS, Z + i, T + i, KEPT_LOG2_E);
      }
      for (int i = 0; i < PAIR; i++) {
        code.vector(VSUBPS, P + i, Z + i, KEPT_ROUNDER);
        code.vector(VFMADD231PS, T + i, P + i, KEPT_LN2_HIGH);
        code.vector(VFMADD231PS, T + i, P + i, constant(LN2_LOW));
        code.load(P + i, constant(C6));
      }
      for (int coefficient = C6 + 1; coefficient <= C2; coefficient++) {
        for (int i = 0; i < PAIR; i++) {
          code.vector(VFMADD213PS, P + i, T + i, constant(coefficient));
        }
      }
      for (int step = 0; step < 2; step++) {
        for (int i = 0; i < PAIR; i++) {
          code.vector(VFMADD213PS, P + i, T + i, KEPT_ONE);
        }
      }
      for (int i = 0; i < PAIR; i++) {
        code.shiftLeft(Z + i, Z + i, Exponential.FRACTION_BITS);
        code.vector(VPADDD, Z + i, Z + i, KEPT_ONE);
        code.vector(VMULPS, P + i, P + i, Z + i);
        code.vector(VANDPS, P + i, P + i, VISIBLE + i);
      }
    }
  }
}
