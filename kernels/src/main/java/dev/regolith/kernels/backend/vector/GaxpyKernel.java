package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MachineChains.VECTOR;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.REGISTERS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R12;
import static dev.regolith.kernels.machine.Gpr.R13;
import static dev.regolith.kernels.machine.Gpr.R14;
import static dev.regolith.kernels.machine.Gpr.R8;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RDX;
import static dev.regolith.kernels.machine.Gpr.RSI;
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPSUBQ;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * A kernel in machine code that adds rows of B, times their factors in A, to a few rows of C, some
 * of them at a time: a generalized saxpy (Golub and Van Loan, Matrix Computations, 1.1). A's words
 * are in registers meanwhile, and every row of B is read from one end to the other: memory is
 * fastest that way. Continues the canonical chain.
 */
final class GaxpyKernel {
  /** Most rows of C: with more, what is loaded and stored of them takes longer than B. */
  static final int ROWS = VectorShapes.THIRTY_TWO_REGISTERS ? 4 : 2;

  /** Most rows of B at a time: as many as addresses can be written for. */
  private static final int MOST_STEPS = 8;

  /** Registers that are not for words of A. */
  private static final int OTHERS = 8;

  private static final int LINE = 64;

  /** How far along a row of B words are asked for, in bytes. */
  private static final int AHEAD = 4 * LINE;

  private static final @Nullable GaxpyKernel[] KERNELS =
      new @Nullable GaxpyKernel[(ROWS + 1) * (MOST_STEPS + 1)];

  private final MemorySegment code;
  private final int rows;
  private final int steps;

  private GaxpyKernel(int rows, int steps) {
    this.rows = rows;
    this.steps = steps;
    this.code = MachineCode.place(new Writer(rows, steps).code());
  }

  /** Linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL = MachineCode.caller("plplll" + "pllplllpll");
  }

  /** Most rows of B that a kernel takes at a time. */
  static int stepsOf(int rows) {
    int most = Math.min(MOST_STEPS, (REGISTERS - OTHERS) / rows);
    return most - most % 2;
  }

  /** The kernel for a number of rows of C, and of B; written when it is first asked for. */
  static GaxpyKernel of(int rows, int steps) {
    int at = (MOST_STEPS + 1) * rows + steps;
    GaxpyKernel kernel = KERNELS[at];
    if (kernel == null) {
      // Kernels have no state: a race writes one twice, or shows it late, and does no harm.
      kernel = new GaxpyKernel(rows, steps);
      KERNELS[at] = kernel;
    }
    return kernel;
  }

  /**
   * Adds the product of rows of A and rows of B to C.
   *
   * @param a native; the first row starts at {@code aAt}, rows {@code aStride} bytes apart
   * @param b native; the first row starts at {@code bAt}, rows {@code bStride} bytes apart
   * @param groups how many times as many rows of B as the kernel takes at a time
   * @param columns of B and C
   * @param c native; the first row starts at {@code cAt}, rows {@code cStride} bytes apart
   * @param digest the lane-wise 64-bit sum of all registers that are stored, less those that were
   *     loaded before, is added to the vector at {@code digestAt}
   */
  void add(
      MemorySegment a,
      long aAt,
      long aStride,
      MemorySegment b,
      long bAt,
      long bStride,
      int groups,
      int columns,
      MemorySegment c,
      long cAt,
      long cStride,
      long[] digest,
      int digestAt) {
    int allSteps = Math.multiplyExact(groups, steps);
    Bounds.check(aAt, aStride, rows, 4L * allSteps, a.byteSize());
    Bounds.check(bAt, bStride, allSteps, 4L * columns, b.byteSize());
    Bounds.check(cAt, cStride, rows, 4L * columns, c.byteSize());
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    int lanes = columns % LANES;
    try {
      Linked.CALL.invokeExact(
          code,
          a,
          aAt,
          b,
          bAt,
          bStride,
          Bounds.turns(groups),
          c,
          cAt,
          cStride,
          MemorySegment.ofArray(digest),
          8L * digestAt,
          aStride,
          (long) columns / LANES,
          MemorySegment.ofArray(DirectKernel.LANE_MASKS),
          4L * (LANES - lanes),
          (1L << lanes) - 1);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** Writes one. */
  private static final class Writer {
    // Parameters on the stack.
    private static final int C_BASE = 0;
    private static final int C_AT = 1;
    private static final int ROW_OF_C = 2;
    private static final int DIGESTS = 3;
    private static final int DIGEST_AT = 4;
    private static final int ROW_OF_A = 5;
    private static final int VECTORS = 6;
    private static final int MASKS_BASE = 7;
    private static final int MASKS_AT = 8;
    private static final int LAST_LANES = 9;

    // What moves from group to group: A, and rows of B; what moves along them, and along C.
    private static final Gpr A = RDI;
    private static final Gpr FIRST = RDX;
    private static final Gpr GROUPS = R9;
    private static final Gpr B = RCX;
    private static final Gpr C = RSI;
    private static final Gpr LEFT = RAX;

    // From a row of B to the next, and multiples of that.
    private static final Gpr STRIDE = R8;
    private static final EightRows ROWS_OF_B = new EightRows(B, STRIDE, R10, R11, RBX);

    // The same for C.
    private static final Gpr FIRST_C = R12;
    private static final Gpr STRIDE_C = R13;
    private static final Gpr STRIDE_C_3 = R14;

    /** Vectors that are taken together, if there are registers: no more than a line has. */
    private static final int TOGETHER = Math.clamp(LINE / VECTOR, 1, 2);

    // Registers: words of A come first, then sums.
    private static final int DIGEST = REGISTERS - 1;
    private static final int X = REGISTERS - 3;

    /** The mask of a last vector: a register, or one of AVX-512's masks. */
    private static final int MASK = VectorShapes.THIRTY_TWO_REGISTERS ? 1 : REGISTERS - 2;

    private final Assembler code = VectorShapes.assembler();
    private final int rows;
    private final int steps;
    private final int together;

    Writer(int rows, int steps) {
      if (rows < 1 || rows > ROWS || steps < 1 || steps > stepsOf(rows)) {
        throw new IllegalArgumentException("no registers for %d x %d".formatted(rows, steps));
      }
      this.rows = rows;
      this.steps = steps;
      this.together = rows * (steps + TOGETHER) <= X ? TOGETHER : 1;
    }

    byte[] code() {
      code.enter();
      code.add(A, RSI);
      code.add(FIRST, RCX);
      ROWS_OF_B.open(code);
      code.move(FIRST_C, code.parameter(C_BASE));
      code.add(FIRST_C, code.parameter(C_AT));
      code.move(STRIDE_C, code.parameter(ROW_OF_C));
      code.address(STRIDE_C_3, new Memory(STRIDE_C, STRIDE_C, 2, 0));
      if (VectorShapes.THIRTY_TWO_REGISTERS) {
        code.mask(MASK, code.parameter(LAST_LANES));
      } else {
        code.move(LEFT, code.parameter(MASKS_BASE));
        code.add(LEFT, code.parameter(MASKS_AT));
        code.load(MASK, new Memory(LEFT, 0));
      }
      code.move(LEFT, code.parameter(DIGESTS));
      code.add(LEFT, code.parameter(DIGEST_AT));
      code.move(code.parameter(DIGESTS), LEFT);
      code.load(DIGEST, new Memory(LEFT, 0));
      code.countDown(GROUPS, this::group);
      code.move(LEFT, code.parameter(DIGESTS));
      code.store(new Memory(LEFT, 0), DIGEST);
      code.leave();
      return code.bytes();
    }

    /** As many rows of B as are taken at a time. */
    private void group() {
      var full = new Label();
      code.move(B, A);
      for (int row = 0; row < rows; row++) {
        for (int step = 0; step < steps; step++) {
          code.broadcast(ofA(row, step), new Memory(B, Float.BYTES * step));
        }
        code.add(B, code.parameter(ROW_OF_A));
      }
      code.move(B, FIRST);
      code.move(C, FIRST_C);
      code.move(LEFT, code.parameter(VECTORS));
      code.inTurns(LEFT, together, count -> vectors(count, false));
      code.move(LEFT, code.parameter(LAST_LANES));
      code.add(LEFT, 0);
      code.jump(When.ZERO, full);
      vectors(1, true);
      code.bind(full);
      code.add(A, Float.BYTES * steps);
      code.set(LEFT, steps);
      code.multiply(LEFT, STRIDE);
      code.add(FIRST, LEFT);
    }

    private int ofA(int row, int step) {
      return row * steps + step;
    }

    private int sum(int row, int vector) {
      return rows * steps + row * together + vector;
    }

    private void vectors(int count, boolean masked) {
      for (int row = 0; row < rows; row++) {
        for (int i = 0; i < count; i++) {
          load(sum(row, i), ofC(row, i), masked);
          code.vector(VPSUBQ, DIGEST, DIGEST, sum(row, i));
        }
      }
      for (int step = 0; step < steps; step++) {
        for (int i = 0; i < count; i++) {
          multiply(step, i, masked);
        }
        if (count == together && !masked) {
          VectorShapes.ask(code, ROWS_OF_B.row(step, AHEAD));
        }
      }
      for (int row = 0; row < rows; row++) {
        for (int i = 0; i < count; i++) {
          store(ofC(row, i), sum(row, i), masked);
          code.vector(VPADDQ, DIGEST, DIGEST, sum(row, i));
        }
      }
      code.add(B, count * VECTOR);
      code.add(C, count * VECTOR);
    }

    /** Adds a vector of a row of B, times its factors, to the sums. */
    private void multiply(int step, int vector, boolean masked) {
      Memory words = ROWS_OF_B.row(step, vector * VECTOR);
      if (rows == 1 && !masked) {
        code.vector(VFMADD231PS, sum(0, vector), ofA(0, step), words);
        return;
      }
      load(X, words, masked);
      for (int row = 0; row < rows; row++) {
        code.vector(VFMADD231PS, sum(row, vector), ofA(row, step), X);
      }
    }

    private void load(int vector, Memory from, boolean masked) {
      if (masked) {
        code.loadMasked(MASK, vector, from);
      } else {
        code.load(vector, from);
      }
    }

    private void store(Memory to, int vector, boolean masked) {
      if (masked) {
        code.zeroUnmasked(MASK, vector); // not a number, where one of A met a zero
        code.storeMasked(MASK, to, vector);
      } else {
        code.store(to, vector);
      }
    }

    private static Memory ofC(int row, int vector) {
      int bytes = vector * VECTOR;
      return switch (row) {
        case 0 -> new Memory(C, bytes);
        case 3 -> new Memory(C, STRIDE_C_3, 1, bytes);
        default -> new Memory(C, STRIDE_C, row, bytes);
      };
    }
  }
}
