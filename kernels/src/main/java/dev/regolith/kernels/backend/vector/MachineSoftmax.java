package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MicroKernel.ROW;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
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
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPERMILPS;
import static dev.regolith.kernels.machine.VectorOp.VSUBPS;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.machine.VectorOp;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.function.IntConsumer;

/**
 * Passes of {@link SoftmaxPass} in machine code: the same operations in the same order, hence the
 * same bits, a few vectors at a time.
 */
final class MachineSoftmax {
  private static final int VECTOR = 4 * LANES;
  private static final boolean MASKS = VectorShapes.THIRTY_TWO_REGISTERS;

  /** Vectors whose exponentials are worked out side by side: as many as there are registers for. */
  private static final int ABREAST = MASKS ? 4 : 2;

  /** Vectors that the lanes of a sum fill. */
  private static final int SUMS = Math.ceilDiv(AttentionProblem.SUM_LANES, LANES);

  /** Vectors in a turn. */
  private static final int TURN = Math.max(ABREAST, SUMS);

  // Immediates.
  private static final int NOT_LESS_OR_NAN = 5;
  private static final int SWAP_NEIGHBOURS = 0xB1;

  /** Leaves an integer in the lowest bits, and the bias of an exponent added. */
  private static final float ROUNDER_OF_POWERS = rounderOfPowers(1);

  /** A vector each; first those that are operands, which registers may keep. */
  private static final float[] CONSTANTS = {
    1,
    ROUNDER_OF_POWERS,
    Exponential.LOG2_E,
    -Exponential.LN2_HIGH,
    -Exponential.LN2_LOW,
    Exponential.SMALLEST,
    Exponential.C5,
    Exponential.C4,
    Exponential.C3,
    Exponential.C2,
    Exponential.C6,
    Float.NEGATIVE_INFINITY
  };

  private static final int ONE = 0;
  private static final int ROUNDER = 1;
  private static final int LOG2_E = 2;
  private static final int LN2_HIGH = 3;
  private static final int LN2_LOW = 4;
  private static final int SMALLEST = 5;
  private static final int C5 = 6;
  private static final int C2 = 9;
  private static final int OPERANDS = 10;
  private static final int C6 = 10;
  private static final int MINUS_INFINITY = 11;

  private static final MemorySegment VECTORS = MachineCode.constants(LANES, CONSTANTS);

  private MachineSoftmax() {}

  /**
   * {@link Exponential#ROUNDER}, and the biased exponent of a power of two: shifted, what is left
   * in the lowest bits is that power times the one looked for. Arguments of a magnitude below 2^22
   * are rounded to the same integers. Only halves would be rounded another way, and there are none:
   * the numerator of {@link Exponential#LOG2_E} is odd, and so is that of its product with an
   * argument once their powers of two are taken out, so that a half needs a magnitude of 2^22 and
   * more. What comes of such arguments is not used: they are below all that have an exponential.
   */
  static float rounderOfPowers(float unit) {
    return Exponential.ROUNDER + (Float.floatToRawIntBits(unit) >>> Exponential.FRACTION_BITS);
  }

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
          Bounds.turns(columns / (TURN * LANES)),
          MemorySegment.ofArray(found),
          4L * foundAt,
          VECTORS);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
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
          Bounds.turns(columns / (TURN * LANES)),
          MemorySegment.ofArray(references),
          4L * first,
          MemorySegment.ofArray(weights),
          MemorySegment.ofArray(sums),
          MemorySegment.ofArray(copies),
          MemorySegment.ofArray(digests),
          8L * digest,
          VECTORS);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
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
    private static final int X = TURN;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllplp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(FOUND, R8);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, FIRST);
            code.move(LEFT, TURNS);
            for (int i = 0; i < TURN; i++) {
              code.load(MAX + i, new Memory(CONSTANT, MINUS_INFINITY * VECTOR));
            }
            code.countDown(
                LEFT,
                () -> {
                  for (int i = 0; i < TURN; i++) {
                    code.load(X, new Memory(FROM, i * VECTOR));
                    code.vector(VMAXPS, MAX + i, X, MAX + i); // what is no number stays out
                  }
                  code.add(FROM, TURN * VECTOR);
                });
            halve(code, VMAXPS, MAX, TURN, X);
            code.storeFloat(new Memory(FOUND, 0), MAX);
            code.add(FOUND, 4);
            code.add(FIRST, 4 * ROW);
          });
      code.leave();
      return code.bytes();
    }
  }

  /**
   * Adds vectors up, or what {@code op} does, in the order of a halving: the first half of all
   * lanes and the second, until the first lane of the first vector has it all.
   */
  private static void halve(Assembler code, VectorOp op, int first, int vectors, int spare) {
    for (int half = vectors / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        code.vector(op, first + i, first + i, first + i + half);
      }
    }
    for (int bits = 8 * VECTOR; bits >= 128; bits /= 2) {
      code.upperHalf(bits, spare, first);
      code.vector(op, first, first, spare);
    }
    code.vector(VPERMILPS, spare, 0, first, SWAP_NEIGHBOURS);
    code.vector(op, first, first, spare);
  }

  private static final class Weigh {
    private static final Gpr FIRST = RDI;
    private static final Gpr ROWS = RSI;
    private static final Gpr TURNS = RDX;
    private static final Gpr REFERENCES = RCX;
    private static final Gpr WEIGHTS = R9;
    private static final Gpr SUMS_TO = RBX;
    private static final Gpr COPIES = RBP;
    private static final Gpr DIGEST = R8;
    private static final Gpr CONSTANT = R12;
    private static final Gpr FROM = R10;
    private static final Gpr TO = R11;
    private static final Gpr LEFT = RAX;

    // Registers; of those that are several, the first.
    private static final int REFERENCE = 0;
    private static final int WORDS = 1;
    private static final int SUM = 2;
    private static final int T = SUM + SUMS;
    private static final int Z = T + ABREAST;
    private static final int P = Z + ABREAST;

    /** All bits where an exponential is not zero; masks have registers of their own. */
    private static final int VISIBLE = P + ABREAST;

    private static final int FREE = MASKS ? VISIBLE : VISIBLE + ABREAST;
    private static final MachineConstants KEPT = new MachineConstants(CONSTANT, FREE, OPERANDS);

    static final MethodHandle CALL = MachineCode.caller(code(), "pllplpppplp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(REFERENCES, R8);
      code.move(SUMS_TO, code.parameter(0));
      code.add(SUMS_TO, R8);
      code.move(COPIES, code.parameter(1));
      code.add(COPIES, R8);
      code.move(DIGEST, code.parameter(2));
      code.add(DIGEST, code.parameter(3));
      code.move(CONSTANT, code.parameter(4));
      code.load(WORDS, new Memory(DIGEST, 0));
      KEPT.load(code);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, FIRST);
            code.move(TO, WEIGHTS);
            code.move(LEFT, TURNS);
            code.broadcast(REFERENCE, new Memory(REFERENCES, 0));
            for (int i = 0; i < SUMS; i++) {
              code.zero(SUM + i);
            }
            code.countDown(
                LEFT,
                () -> {
                  for (int vector = 0; vector < TURN; vector += ABREAST) {
                    exponentials(code, vector);
                    for (int i = 0; i < ABREAST; i++) {
                      int sum = SUM + (vector + i) % SUMS;
                      code.store(new Memory(TO, (vector + i) * VECTOR), P + i);
                      code.vector(VADDPS, sum, sum, P + i);
                      code.vector(VPADDQ, WORDS, WORDS, P + i);
                    }
                  }
                  code.add(FROM, TURN * VECTOR);
                  code.add(TO, TURN * VECTOR);
                });
            halve(code, VADDPS, SUM, SUMS, T);
            code.storeFloat(new Memory(SUMS_TO, 0), SUM);
            code.storeFloat(new Memory(COPIES, 0), SUM);
            code.add(SUMS_TO, 4);
            code.add(COPIES, 4);
            code.add(REFERENCES, 4);
            code.add(FIRST, 4 * ROW);
            code.add(WEIGHTS, 4 * MicroKernel.STRIP_STRIDE);
          });
      code.store(new Memory(DIGEST, 0), WORDS);
      code.leave();
      return code.bytes();
    }

    /**
     * {@link VectorFunctions#expOfModerate} of as many vectors as go abreast, from such a place in
     * the turn on; each step of all of them before the next.
     */
    private static void exponentials(Assembler code, int vector) {
      each(i -> {
        code.load(T + i, new Memory(FROM, (vector + i) * VECTOR));
        code.vector(VSUBPS, T + i, T + i, REFERENCE);
        visible(code, i);
        code.load(Z + i, KEPT.memory(ROUNDER));
        KEPT.vector(code, VFMADD231PS, Z + i, T + i, LOG2_E);
      });
      each(i -> KEPT.vector(code, VSUBPS, P + i, Z + i, ROUNDER));
      each(i -> code.shiftLeft(Z + i, Z + i, Exponential.FRACTION_BITS));
      each(i -> KEPT.vector(code, VFMADD231PS, T + i, P + i, LN2_HIGH));
      each(i -> KEPT.vector(code, VFMADD231PS, T + i, P + i, LN2_LOW));
      each(i -> code.load(P + i, KEPT.memory(C6)));
      for (int coefficient = C5; coefficient <= C2; coefficient++) {
        int c = coefficient;
        each(i -> KEPT.vector(code, VFMADD213PS, P + i, T + i, c));
      }
      each(i -> KEPT.vector(code, VFMADD213PS, P + i, T + i, ONE));
      each(i -> KEPT.vector(code, VFMADD213PS, P + i, T + i, ONE));
      each(i -> {
        if (MASKS) {
          code.vectorMasked(1 + i, VMULPS, P + i, P + i, Z + i);
        } else {
          code.vector(VMULPS, P + i, P + i, Z + i);
          code.vector(VANDPS, P + i, P + i, VISIBLE + i);
        }
      });
    }

    /** Where an exponential is not zero. */
    private static void visible(Assembler code, int i) {
      if (MASKS) {
        KEPT.compareToMask(code, 1 + i, T + i, SMALLEST, NOT_LESS_OR_NAN);
      } else {
        code.vector(VCMPPS, VISIBLE + i, T + i, KEPT.memory(SMALLEST), NOT_LESS_OR_NAN);
      }
    }

    private static void each(IntConsumer body) {
      for (int i = 0; i < ABREAST; i++) {
        body.accept(i);
      }
    }
  }
}
