package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MicroKernel.ROW;
import static dev.regolith.kernels.backend.vector.MicroKernel.STRIP_STRIDE;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R12;
import static dev.regolith.kernels.machine.Gpr.R13;
import static dev.regolith.kernels.machine.Gpr.R14;
import static dev.regolith.kernels.machine.Gpr.R15;
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
import static dev.regolith.kernels.machine.VectorOp.VFMADD213PS;
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static dev.regolith.kernels.machine.VectorOp.VFMSUB213PS;
import static dev.regolith.kernels.machine.VectorOp.VMULPS;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPAND;
import static dev.regolith.kernels.machine.VectorOp.VPOR;
import static dev.regolith.kernels.machine.VectorOp.VPSUBD;
import static dev.regolith.kernels.machine.VectorOp.VPSUBQ;
import static dev.regolith.kernels.machine.VectorOp.VSUBPS;

import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.function.IntConsumer;

/**
 * What {@link SoftmaxPass} reads a second time, in machine code: scores and weights after their
 * last use. The order of additions may differ from that of bytecode: only evidence depends on it.
 */
final class MachineAttentionChecks {
  private static final int VECTOR = 4 * LANES;

  /** Weights that are held against each other, in vectors; and what one turn of sums takes. */
  private static final int FOUR = 4;

  private MachineAttentionChecks() {}

  /** See {@link SoftmaxPass#residuals}. */
  static void residuals(
      float[] scores,
      int rows,
      int columns,
      int signs,
      float[] queries,
      MemorySegment vector,
      long vectorAt,
      int depth,
      float[] residuals,
      long[] digests,
      int digest) {
    Bounds.check(0, ROW, rows, columns, scores.length);
    Bounds.check(signs, 0, 1, columns, BlockPass.SIGNS.length);
    Bounds.check(0, STRIP_STRIDE, rows, depth, queries.length);
    Bounds.check(vectorAt, 0, 1, 4L * depth, vector.byteSize());
    Bounds.check(0, LANES, rows, LANES, residuals.length);
    Bounds.check(digest, 0, 1, WIDE_LANES, digests.length);
    try {
      Residuals.CALL.invokeExact(
          MemorySegment.ofArray(scores),
          (long) rows,
          Bounds.turns(columns / (2 * LANES)),
          BlockPass.ALIGNED_SIGNS,
          4L * signs,
          MemorySegment.ofArray(queries),
          vector,
          vectorAt,
          (long) (depth / LANES),
          MemorySegment.ofArray(residuals),
          MemorySegment.ofArray(digests),
          8L * digest);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** See {@link SoftmaxPass#examine}. */
  static void examine(
      float[] scores,
      float[] weights,
      int rows,
      int columns,
      float[] references,
      float[] decays,
      int first,
      float[] factors,
      float[] sums,
      float[] products,
      long[] digests,
      int digest,
      int[] misfits) {
    int quads = columns / (FOUR * LANES);
    Bounds.check(0, ROW, rows, columns, scores.length);
    Bounds.check(0, STRIP_STRIDE, rows, columns, weights.length);
    Bounds.check(first, 0, 1, rows, references.length);
    Bounds.check(first, 0, 1, rows, decays.length);
    Bounds.check(0, 0, 1, columns, factors.length);
    Bounds.check((long) first * LANES, LANES, rows, LANES, sums.length);
    Bounds.check((long) first * LANES, LANES, rows, LANES, products.length);
    Bounds.check(digest, 0, 1, WIDE_LANES, digests.length);
    Bounds.check(0, 0, 1, LANES, misfits.length);
    try {
      Examine.CALL.invokeExact(
          MemorySegment.ofArray(scores),
          MemorySegment.ofArray(weights),
          (long) rows,
          Bounds.turns(quads),
          MemorySegment.ofArray(references),
          MemorySegment.ofArray(decays),
          4L * first,
          MemorySegment.ofArray(factors),
          MemorySegment.ofArray(sums),
          MemorySegment.ofArray(products),
          4L * first * LANES,
          MemorySegment.ofArray(digests),
          8L * digest,
          MemorySegment.ofArray(misfits),
          Examine.VECTORS);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  private static final class Residuals {
    private static final Gpr ROWS = RSI;
    private static final Gpr PAIRS = RDX;
    private static final Gpr SIGNS = RCX;
    private static final Gpr QUERY = R9;
    private static final Gpr SCORES = RDI;
    private static final Gpr VECTOR_OF_KEYS = R12;
    private static final Gpr DEPTH = R13;
    private static final Gpr RESIDUALS = R14;
    private static final Gpr DIGEST = R15;
    private static final Gpr FROM = R10;
    private static final Gpr SIGN = R11;
    private static final Gpr LEFT = RAX;

    // Registers; of those that are several, the first.
    private static final int SUM = 0;
    private static final int WORDS = 4;
    private static final int X = 8;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllplppllppl");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(SIGNS, R8);
      code.move(VECTOR_OF_KEYS, code.parameter(0));
      code.add(VECTOR_OF_KEYS, code.parameter(1));
      code.move(DEPTH, code.parameter(2));
      code.move(RESIDUALS, code.parameter(3));
      code.move(DIGEST, code.parameter(4));
      code.add(DIGEST, code.parameter(5));
      code.load(WORDS, new Memory(DIGEST, 0));
      code.countDown(
          ROWS,
          () -> {
            for (int i = 0; i < FOUR; i++) {
              code.zero(SUM + i);
            }
            product(code);
            scores(code);
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.vector(VADDPS, SUM + 2, SUM + 2, SUM + 3);
            code.vector(VSUBPS, SUM, SUM + 2, SUM);
            code.store(new Memory(RESIDUALS, 0), SUM);
            code.add(RESIDUALS, VECTOR);
            code.add(SCORES, 4 * ROW);
            code.add(QUERY, 4 * STRIP_STRIDE);
          });
      code.store(new Memory(DIGEST, 0), WORDS);
      code.leave();
      return code.bytes();
    }

    /** Query times check vector, into the last two sums. */
    private static void product(Assembler code) {
      code.move(FROM, QUERY);
      code.move(SIGN, VECTOR_OF_KEYS);
      code.move(LEFT, DEPTH);
      inTurns(
          code,
          VECTOR,
          count -> {
            for (int i = 0; i < count; i++) {
              code.load(X + i, new Memory(FROM, i * VECTOR));
              code.vector(VFMADD231PS, SUM + 2 + i % 2, X + i, new Memory(SIGN, i * VECTOR));
            }
          });
    }

    /** Scores with signs, into the first two; and their digest. */
    private static void scores(Assembler code) {
      code.move(FROM, SCORES);
      code.move(SIGN, SIGNS);
      code.move(LEFT, PAIRS);
      inTurns(
          code,
          2 * VECTOR,
          pairs -> {
            for (int i = 0; i < 2 * pairs; i++) {
              code.load(X + i, new Memory(FROM, i * VECTOR));
              code.vector(VFMADD231PS, SUM + i % 2, X + i, new Memory(SIGN, i * VECTOR));
            }
            for (int i = 0; i < pairs; i++) {
              code.vector(VPADDQ, X + 2 * i, X + 2 * i, X + 2 * i + 1);
              code.vector(VPSUBQ, WORDS, WORDS, X + 2 * i);
            }
          });
    }

    private static void inTurns(Assembler code, int bytes, IntConsumer body) {
      code.inTurns(
          LEFT,
          FOUR,
          count -> {
            body.accept(count);
            code.add(FROM, count * bytes);
            code.add(SIGN, count * bytes);
          });
    }
  }

  private static final class Examine {
    /** A vector each; first those that are operands, which registers may keep. */
    private static final float[] CONSTANTS = {
      Exponential.LOG2_E,
      MachineSoftmax.rounderOfPowers(SoftmaxPass.GROUP_UNIT),
      -Exponential.LN2_LOW,
      Exponential.C5,
      Exponential.C4,
      Exponential.C3,
      Exponential.C2,
      1,
      1,
      SoftmaxPass.GROUP_UNIT,
      SoftmaxPass.GROUP_ROUNDINGS,
      SoftmaxPass.LEAST,
      Float.intBitsToFloat(Integer.MAX_VALUE),
      -Exponential.LN2_HIGH,
      Exponential.C6,
      SoftmaxPass.GROUP_ROUNDINGS_OF_EXPONENT,
      Float.POSITIVE_INFINITY
    };

    private static final int LOG2_E = 0;
    private static final int ROUNDER = 1;
    private static final int LN2_LOW = 2;
    private static final int C5 = 3;
    private static final int LAST_ONE = 8;
    private static final int UNIT = 9;
    private static final int ROUNDINGS = 10;
    private static final int LEAST = 11;
    private static final int ALL_BUT_SIGN = 12;
    private static final int OPERANDS = 13;
    private static final int LN2_HIGH = 13;
    private static final int C6 = 14;
    private static final int ROUNDINGS_OF_EXPONENT = 15;
    private static final int INFINITY = 16;

    static final MemorySegment VECTORS = MachineCode.constants(LANES, CONSTANTS);

    private static final Gpr SCORES = RDI;
    private static final Gpr WEIGHTS = RSI;
    private static final Gpr ROWS = RDX;
    private static final Gpr QUADS = RCX;
    private static final Gpr REFERENCES = R8;
    private static final Gpr DECAYS = R9;
    private static final Gpr FACTORS = RBX;
    private static final Gpr SUMS = RBP;
    private static final Gpr PRODUCTS = R12;
    private static final Gpr MISFITS = R13;
    private static final Gpr CONSTANT = R14;
    private static final Gpr SCORE = R10;
    private static final Gpr WEIGHT = R11;
    private static final Gpr FACTOR = R15;
    private static final Gpr LEFT = RAX;

    // Registers; of those that are several, the first.
    private static final int SUM = 0;
    private static final int PRODUCT = 1;
    private static final int WORDS = 3;
    private static final int REFERENCE = 4;
    private static final int FOUND = 5;
    private static final int T = 7;

    private static final int FREE = T + 8;
    private static final MachineConstants KEPT = new MachineConstants(CONSTANT, FREE, OPERANDS);

    static final MethodHandle CALL = MachineCode.caller(code(), "ppllpplppplplpp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      Memory digest = code.parameter(5);
      code.add(REFERENCES, code.parameter(0));
      code.add(DECAYS, code.parameter(0));
      code.move(FACTORS, code.parameter(1));
      code.move(SUMS, code.parameter(2));
      code.add(SUMS, code.parameter(4));
      code.move(PRODUCTS, code.parameter(3));
      code.add(PRODUCTS, code.parameter(4));
      code.move(LEFT, digest);
      code.add(LEFT, code.parameter(6));
      code.move(digest, LEFT);
      code.move(MISFITS, code.parameter(7));
      code.move(CONSTANT, code.parameter(8));
      code.load(WORDS, new Memory(LEFT, 0));
      KEPT.load(code);
      code.countDown(ROWS, () -> row(code));
      code.move(LEFT, digest);
      code.store(new Memory(LEFT, 0), WORDS);
      code.leave();
      return code.bytes();
    }

    private static void row(Assembler code) {
      code.broadcast(REFERENCE, new Memory(REFERENCES, 0));
      for (int i = SUM; i < WORDS; i++) {
        code.zero(i);
      }
      code.move(SCORE, SCORES);
      code.move(WEIGHT, WEIGHTS);
      code.move(FACTOR, FACTORS);
      code.move(LEFT, QUADS);
      code.inTurns(
          LEFT,
          2,
          quads -> {
            for (int quad = 0; quad < quads; quad++) {
              weights(code, quad);
            }
            fit(code, quads);
            code.add(SCORE, quads * FOUR * VECTOR);
            code.add(WEIGHT, quads * FOUR * VECTOR);
            code.add(FACTOR, quads * FOUR * VECTOR);
          });
      code.broadcast(T, new Memory(DECAYS, 0));
      code.vector(VFMADD231PS, SUM, T, new Memory(SUMS, 0));
      code.store(new Memory(SUMS, 0), SUM);
      code.vector(VADDPS, PRODUCT, PRODUCT, PRODUCT + 1);
      code.vector(VFMADD231PS, PRODUCT, T, new Memory(PRODUCTS, 0));
      code.store(new Memory(PRODUCTS, 0), PRODUCT);
      code.add(REFERENCES, 4);
      code.add(DECAYS, 4);
      code.add(SUMS, VECTOR);
      code.add(PRODUCTS, VECTOR);
      code.add(SCORES, 4 * ROW);
      code.add(WEIGHTS, 4 * STRIP_STRIDE);
    }

    /** Sums, products, digest; and the product of four weights, into the place of a quad. */
    private static void weights(Assembler code, int quad) {
      int w = FOUND + quad; // the first of four, which becomes their product
      int t = w + FOUR;
      int u = t + 1;
      for (int i = 0; i < FOUR; i++) {
        int at = (quad * FOUR + i) * VECTOR;
        code.load(w + i, new Memory(WEIGHT, at));
        code.vector(VFMADD231PS, PRODUCT + i % 2, w + i, new Memory(FACTOR, at));
      }
      code.vector(VADDPS, t, w, w + 1);
      code.vector(VADDPS, u, w + 2, w + 3);
      code.vector(VADDPS, t, t, u);
      code.vector(VADDPS, SUM, SUM, t);
      code.vector(VPADDQ, t, w, w + 1);
      code.vector(VPADDQ, u, w + 2, w + 3);
      code.vector(VPADDQ, t, t, u);
      code.vector(VPSUBQ, WORDS, WORDS, t);
      KEPT.vector(code, VMULPS, w, w, UNIT);
      for (int i = 1; i < FOUR; i++) {
        code.vector(VMULPS, w, w, w + i);
      }
    }

    /**
     * The exponentials of sums of four arguments, against those products. Each step is written for
     * both quads before the next.
     */
    private static void fit(Assembler code, int quads) {
      int found = FOUND;
      int x = T;
      int z = T + 2;
      int n = T + 4;
      int r = T + 6;
      for (int i = 0; i < quads; i++) {
        int[] arguments = {x + i, n, n + 1, r};
        for (int j = 0; j < FOUR; j++) {
          code.load(arguments[j], new Memory(SCORE, (i * FOUR + j) * VECTOR));
          code.vector(VSUBPS, arguments[j], arguments[j], REFERENCE);
        }
        code.vector(VADDPS, x + i, x + i, n);
        code.vector(VADDPS, n + 1, n + 1, r);
        code.vector(VADDPS, x + i, x + i, n + 1);
      }
      each(quads, i -> code.load(z + i, KEPT.memory(ROUNDER)));
      each(quads, i -> KEPT.vector(code, VFMADD231PS, z + i, x + i, LOG2_E));
      each(quads, i -> KEPT.vector(code, VSUBPS, n + i, z + i, ROUNDER));
      each(quads, i -> code.load(r + i, KEPT.memory(LN2_HIGH)));
      each(quads, i -> code.vector(VFMADD213PS, r + i, n + i, x + i));
      each(quads, i -> KEPT.vector(code, VFMADD231PS, r + i, n + i, LN2_LOW));
      int expected = n;
      each(quads, i -> code.load(expected + i, KEPT.memory(C6)));
      for (int coefficient = C5; coefficient <= LAST_ONE; coefficient++) {
        int c = coefficient;
        each(quads, i -> KEPT.vector(code, VFMADD213PS, expected + i, r + i, c));
      }
      each(quads, i -> code.shiftLeft(z + i, z + i, Exponential.FRACTION_BITS));
      each(quads, i -> code.vector(VMULPS, expected + i, expected + i, z + i));
      int room = r;
      each(quads, i -> code.load(room + i, KEPT.memory(ROUNDINGS_OF_EXPONENT)));
      each(quads, i -> KEPT.vector(code, VFMADD213PS, room + i, x + i, ROUNDINGS));
      each(quads, i -> code.vector(VSUBPS, found + i, found + i, expected + i));
      each(quads, i -> KEPT.vector(code, VPAND, found + i, found + i, ALL_BUT_SIGN));
      each(quads, i -> code.vector(VFMSUB213PS, room + i, expected + i, found + i));
      // A sign is left if there is no room, or NaN, or if the exponential is not what it is for.
      int wrong = z;
      each(quads, i -> code.load(wrong + i, KEPT.memory(INFINITY)));
      each(quads, i -> code.vector(VPSUBD, wrong + i, wrong + i, room + i));
      each(quads, i -> code.vector(VPOR, wrong + i, wrong + i, room + i));
      each(quads, i -> KEPT.vector(code, VSUBPS, x + i, x + i, LEAST));
      each(quads, i -> code.vector(VPOR, wrong + i, wrong + i, x + i));
      for (int i = 1; i < quads; i++) {
        code.vector(VPOR, wrong, wrong, wrong + i);
      }
      var misfits = new Memory(MISFITS, 0);
      code.vector(VPOR, wrong, wrong, misfits);
      code.store(misfits, wrong);
    }

    private static void each(int quads, IntConsumer body) {
      for (int i = 0; i < quads; i++) {
        body.accept(i);
      }
    }
  }
}
