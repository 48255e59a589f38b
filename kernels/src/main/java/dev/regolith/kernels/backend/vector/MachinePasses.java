package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MachineChains.VECTOR;
import static dev.regolith.kernels.backend.vector.MachineChains.X;
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
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPSUBQ;
import static java.lang.Math.ceilDiv;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/**
 * The passes of {@link Strip} and {@link BlockPass} that every protected product makes, in machine
 * code. Their rows are short, and the JIT's loops spend most of such a row on getting started. Same
 * sums, in the same order.
 */
final class MachinePasses {
  /** Vectors in a turn of a loop. */
  private static final int PAIR = 2;

  private MachinePasses() {}

  /** See {@link Strip#copyBlock}. */
  static void copyBlock(
      MemorySegment a,
      long offset,
      long stride,
      int rows,
      int width,
      float[] strip,
      int at,
      int k,
      long[] raw,
      long[] digest,
      int digestAt,
      RowSurvey survey) {
    Bounds.check(offset, stride, rows, 4L * width, a.byteSize());
    Bounds.check(k, STRIP_STRIDE, 1, width, STRIP_STRIDE);
    Bounds.check((long) at + k, STRIP_STRIDE, rows, width, strip.length);
    Bounds.check(0, 0, 1, SealLanes.RAW, raw.length);
    Bounds.check(0, LANES, rows, LANES, survey.sums.length);
    int grains = ceilDiv(width, Tolerance.GRAIN) * LANES;
    int squares = RowSurvey.at(0, k / Tolerance.GRAIN);
    Bounds.check(squares, RowSurvey.ROW, rows, grains, survey.squares.length);
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    try {
      CopyBlock.CALL.invokeExact(
          a,
          offset,
          stride,
          (long) rows,
          Bounds.turns(width / (PAIR * LANES)),
          MemorySegment.ofArray(strip),
          4L * at + 4L * k,
          MemorySegment.ofArray(raw),
          MemorySegment.ofArray(digest),
          8L * digestAt,
          MemorySegment.ofArray(survey.sums),
          MemorySegment.ofArray(survey.squares),
          4L * squares);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /**
   * Copies rows, and fills them up with zeros; see {@link BlockPass#stage}.
   *
   * @param width of a copied row, full vectors
   * @param targetStride from a copied row to the next, in bytes
   * @param sums receives two vectors: the lane-wise sum of the words, and of those in upper halves
   */
  static void stage(
      MemorySegment memory,
      long offset,
      long stride,
      int rows,
      int columns,
      MemorySegment target,
      long targetStride,
      int width,
      long[] sums) {
    Bounds.check(offset, stride, rows, 4L * columns, memory.byteSize());
    Bounds.check(0, targetStride, rows, 4L * width, target.byteSize());
    Bounds.check(0, 0, 1, 2L * WIDE_LANES, sums.length);
    int full = columns / LANES;
    Bounds.check(0, 0, 1, columns, width);
    try {
      Stage.CALL.invokeExact(
          memory,
          offset,
          stride,
          (long) rows,
          target,
          targetStride,
          (long) full,
          (long) (width / LANES - full),
          (long) (columns % LANES),
          MemorySegment.ofArray(sums));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** See {@link BlockPass#show}. */
  static void show(
      MemorySegment c,
      long offset,
      long stride,
      int rows,
      int width,
      int pattern,
      long[] raw,
      long[] digest,
      int digestAt,
      float[] lanes) {
    Bounds.check(offset, stride, rows, 4L * width, c.byteSize());
    Bounds.check((long) pattern * CheckBlock.COLUMNS, 0, 1, width, BlockPass.SIGNS.length);
    Bounds.check(0, LANES, rows, LANES, lanes.length);
    Bounds.check(0, 0, 1, SealLanes.RAW, raw.length);
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    try {
      Show.CALL.invokeExact(
          c,
          offset,
          stride,
          (long) rows,
          Bounds.turns(width / (PAIR * LANES)),
          BlockPass.ALIGNED_SIGNS,
          4L * pattern * CheckBlock.COLUMNS,
          MemorySegment.ofArray(raw),
          MemorySegment.ofArray(digest),
          8L * digestAt,
          MemorySegment.ofArray(lanes));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** See {@link BlockPass#scan}. */
  static void scan(
      MemorySegment memory, long offset, long stride, int rows, int width, long[] raw) {
    Bounds.check(0, 0, 1, SealLanes.RAW, raw.length);
    if (width == 0) {
      Arrays.fill(raw, 0);
      return;
    }
    Bounds.check(offset, stride, rows, 4L * width, memory.byteSize());
    try {
      Scan.CALL.invokeExact(
          memory,
          offset,
          stride,
          (long) rows,
          Bounds.turns(width / LANES),
          MemorySegment.ofArray(raw));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** See {@link Strip#subtract}. */
  static void subtract(
      float[] words, int at, int stride, int rows, int count, long[] digest, int digestAt) {
    if (rows == 0 || count == 0) {
      return;
    }
    long vectors = Bounds.turns(ceilDiv(count, LANES));
    Bounds.check(at, stride, rows, vectors * LANES, words.length);
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    try {
      Subtract.CALL.invokeExact(
          MemorySegment.ofArray(words),
          4L * at,
          4L * stride,
          (long) rows,
          vectors,
          MemorySegment.ofArray(digest),
          8L * digestAt);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  private static final class CopyBlock {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr ROWS = RCX;
    private static final Gpr PAIRS = R8;
    private static final Gpr STRIP = R9;
    private static final Gpr RAW = RBX;
    private static final Gpr DIGEST = RBP;
    private static final Gpr SUMS = R12;
    private static final Gpr SQUARES = R13;

    private static final Gpr FROM = R10;
    private static final Gpr TO = R11;
    private static final Gpr LEFT = RAX;
    private static final Gpr GRAIN = R14;
    private static final Gpr ENERGIES = R15;

    /** Two vectors each: of the row's sum, and of the grain's squares. */
    private static final int SUM = 6;

    private static final int ENERGY = 8;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllllplpplppl");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      var grains = new Label();
      var grainDone = new Label();
      code.enter();
      code.add(ROW, RSI);
      code.add(STRIP, code.parameter(0));
      code.move(RAW, code.parameter(1));
      code.move(DIGEST, code.parameter(2));
      code.add(DIGEST, code.parameter(3));
      code.move(SUMS, code.parameter(4));
      code.move(SQUARES, code.parameter(5));
      code.add(SQUARES, code.parameter(6));
      MachineChains.start(code);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, ROW);
            code.move(TO, STRIP);
            code.move(LEFT, PAIRS);
            code.move(ENERGIES, SQUARES);
            code.load(SUM, new Memory(SUMS, 0));
            code.zero(SUM + 1);
            code.bind(grains);
            code.zero(ENERGY);
            code.zero(ENERGY + 1);
            code.set(GRAIN, Tolerance.GRAIN / (PAIR * LANES));
            code.countDown(
                GRAIN,
                () -> {
                  for (int i = 0; i < PAIR; i++) {
                    code.load(X, new Memory(FROM, i * VECTOR));
                    code.store(new Memory(TO, i * VECTOR), X);
                    code.vector(VFMADD231PS, ENERGY + i, X, X);
                    code.vector(VADDPS, SUM + i, SUM + i, X);
                    MachineChains.extend(code);
                  }
                  code.add(FROM, PAIR * VECTOR);
                  code.add(TO, PAIR * VECTOR);
                  code.subtract(LEFT, 1);
                  code.jump(When.ZERO, grainDone);
                });
            code.bind(grainDone);
            code.vector(VADDPS, ENERGY, ENERGY, ENERGY + 1);
            code.store(new Memory(ENERGIES, 0), ENERGY);
            code.add(ENERGIES, VECTOR);
            code.add(LEFT, 0);
            code.jump(When.NOT_ZERO, grains);
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.store(new Memory(SUMS, 0), SUM);
            code.add(SUMS, VECTOR);
            code.add(SQUARES, 4 * RowSurvey.ROW);
            code.add(STRIP, 4 * STRIP_STRIDE);
            code.add(ROW, STRIDE);
          });
      // What passed through is what the first chain says.
      code.load(X, new Memory(DIGEST, 0));
      code.vector(VPADDQ, X, X, MachineChains.LOWER);
      code.store(new Memory(DIGEST, 0), X);
      MachineChains.store(code, RAW);
      code.leave();
      return code.bytes();
    }
  }

  private static final class Stage {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr ROWS = RCX;
    private static final Gpr TARGET = R8;
    private static final Gpr TARGET_STRIDE = R9;

    private static final Gpr FROM = R10;
    private static final Gpr TO = R11;
    private static final Gpr BEHIND = RBX;
    private static final Gpr LEFT = RAX;
    private static final int ZERO = 0;
    private static final int SUM = 1;
    private static final int UPPER = 2;
    private static final int HALVED = 3;

    static final MethodHandle CALL = MachineCode.caller(code(), "plllpllllp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(ROW, RSI);
      code.zero(ZERO);
      code.zero(SUM);
      code.zero(UPPER);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, ROW);
            code.move(TO, TARGET);
            code.move(LEFT, code.parameter(0));
            times(
                code,
                () -> {
                  code.load(X, new Memory(FROM, 0));
                  code.store(new Memory(TO, 0), X);
                  add(code);
                  code.add(FROM, VECTOR);
                  code.add(TO, VECTOR);
                });
            code.move(BEHIND, TO);
            code.move(LEFT, code.parameter(1));
            times(
                code,
                () -> {
                  code.store(new Memory(BEHIND, 0), ZERO);
                  code.add(BEHIND, VECTOR);
                });
            code.move(LEFT, code.parameter(2));
            times(
                code,
                () -> {
                  code.loadFloat(X, new Memory(FROM, 0));
                  code.storeFloat(new Memory(TO, 0), X);
                  add(code);
                  code.add(FROM, Float.BYTES);
                  code.add(TO, Float.BYTES);
                });
            code.add(ROW, STRIDE);
            code.add(TARGET, TARGET_STRIDE);
          });
      code.move(LEFT, code.parameter(3));
      code.store(new Memory(LEFT, 0), SUM);
      code.store(new Memory(LEFT, VECTOR), UPPER);
      code.leave();
      return code.bytes();
    }

    private static void add(Assembler code) {
      code.shiftRight(HALVED, X, 32);
      code.vector(VPADDQ, SUM, SUM, X);
      code.vector(VPADDQ, UPPER, UPPER, HALVED);
    }

    /** As often as LEFT says, or not at all. */
    private static void times(Assembler code, Runnable body) {
      var none = new Label();
      code.add(LEFT, 0);
      code.jump(When.ZERO, none);
      code.countDown(LEFT, body);
      code.bind(none);
    }
  }

  private static final class Show {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr ROWS = RCX;
    private static final Gpr PAIRS = R8;
    private static final Gpr SIGNS = R9;
    private static final Gpr RAW = RBX;
    private static final Gpr DIGEST = RBP;
    private static final Gpr LANES_OF_ROWS = R12;

    private static final Gpr FROM = R10;
    private static final Gpr SIGN = R11;
    private static final Gpr LEFT = RAX;

    /** Two vectors of a row's signed sum. */
    private static final int SUM = 6;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllllplpplp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(ROW, RSI);
      code.add(SIGNS, code.parameter(0));
      code.move(RAW, code.parameter(1));
      code.move(DIGEST, code.parameter(2));
      code.add(DIGEST, code.parameter(3));
      code.move(LANES_OF_ROWS, code.parameter(4));
      MachineChains.start(code);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, ROW);
            code.move(SIGN, SIGNS);
            code.move(LEFT, PAIRS);
            code.zero(SUM);
            code.zero(SUM + 1);
            code.countDown(
                LEFT,
                () -> {
                  for (int i = 0; i < PAIR; i++) {
                    code.load(X, new Memory(FROM, i * VECTOR));
                    code.vector(VFMADD231PS, SUM + i, X, new Memory(SIGN, i * VECTOR));
                    MachineChains.extend(code);
                  }
                  code.add(FROM, PAIR * VECTOR);
                  code.add(SIGN, PAIR * VECTOR);
                });
            code.vector(VADDPS, SUM, SUM, SUM + 1);
            code.store(new Memory(LANES_OF_ROWS, 0), SUM);
            code.add(LANES_OF_ROWS, VECTOR);
            code.add(ROW, STRIDE);
          });
      code.load(X, new Memory(DIGEST, 0));
      code.vector(VPSUBQ, X, X, MachineChains.LOWER);
      code.store(new Memory(DIGEST, 0), X);
      MachineChains.store(code, RAW);
      code.leave();
      return code.bytes();
    }
  }

  private static final class Scan {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr ROWS = RCX;
    private static final Gpr VECTORS = R8;
    private static final Gpr RAW = R9;

    private static final Gpr FROM = R10;
    private static final Gpr LEFT = RAX;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllllp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(ROW, RSI);
      MachineChains.start(code);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, ROW);
            code.move(LEFT, VECTORS);
            code.countDown(
                LEFT,
                () -> {
                  code.load(X, new Memory(FROM, 0));
                  VectorShapes.ask(code, new Memory(FROM, MachineChains.AHEAD));
                  MachineChains.extend(code);
                  code.add(FROM, VECTOR);
                });
            code.add(ROW, STRIDE);
          });
      MachineChains.store(code, RAW);
      code.leave();
      return code.bytes();
    }
  }

  private static final class Subtract {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr ROWS = RCX;
    private static final Gpr VECTORS = R8;
    private static final Gpr DIGEST = R9;

    private static final Gpr FROM = R10;
    private static final Gpr LEFT = RAX;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllllpl");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(ROW, RSI);
      code.add(DIGEST, code.parameter(0));
      code.load(X, new Memory(DIGEST, 0));
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, ROW);
            code.move(LEFT, VECTORS);
            code.countDown(
                LEFT,
                () -> {
                  code.vector(VPSUBQ, X, X, new Memory(FROM, 0));
                  code.add(FROM, VECTOR);
                });
            code.add(ROW, STRIDE);
          });
      code.store(new Memory(DIGEST, 0), X);
      code.leave();
      return code.bytes();
    }
  }
}
