package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MicroKernel.STRIP_STRIDE;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
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
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/**
 * The passes of {@link Strip}, {@link BlockPass} and {@link PanelCopy} that every protected product
 * makes, in machine code. Their rows are short, and the JIT's loops spend most of such a row on
 * getting started. Same sums, in the same order.
 */
final class MachinePasses {
  private static final int VECTOR = 4 * LANES;

  /** Vectors in a turn of a loop. */
  private static final int PAIR = 2;

  // The chains of SealLanes are in registers 0 to 5.
  private static final int LOWER = 0;
  private static final int UPPER = 3;
  private static final int CHAIN = 3;

  /** Longs of both chains. */
  private static final int RAW_SUMS = 2 * CHAIN * WIDE_LANES;

  private static final int HALVED = 14;
  private static final int X = 15;

  private MachinePasses() {}

  /** See {@link Strip#copyBlock}. */
  static void copyBlock(
      MemorySegment a,
      long offset,
      long stride,
      int rows,
      int width,
      float[] strip,
      int k,
      long[] raw,
      long[] digest,
      int digestAt,
      RowSurvey survey,
      int row) {
    Bounds.check(offset, stride, rows, 4L * width, a.byteSize());
    Bounds.check(k, STRIP_STRIDE, rows, width, strip.length);
    Bounds.check(0, 0, 1, RAW_SUMS, raw.length);
    int sums = row * LANES;
    Bounds.check(sums, LANES, rows, LANES, survey.sums.length);
    int grains = ceilDiv(width, Tolerance.GRAIN) * LANES;
    int squares = RowSurvey.at(row, k / Tolerance.GRAIN);
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
          4L * k,
          MemorySegment.ofArray(raw),
          MemorySegment.ofArray(digest),
          8L * digestAt,
          MemorySegment.ofArray(survey.sums),
          4L * sums,
          MemorySegment.ofArray(survey.squares),
          4L * squares);
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
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
    Bounds.check(0, 0, 1, RAW_SUMS, raw.length);
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    try {
      Show.CALL.invokeExact(
          c,
          offset,
          stride,
          (long) rows,
          Bounds.turns(width / (PAIR * LANES)),
          MemorySegment.ofArray(BlockPass.SIGNS),
          4L * pattern * CheckBlock.COLUMNS,
          MemorySegment.ofArray(raw),
          MemorySegment.ofArray(digest),
          8L * digestAt,
          MemorySegment.ofArray(lanes));
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
  }

  /** See {@link BlockPass#scan}. */
  static void scan(
      MemorySegment memory, long offset, long stride, int rows, int width, long[] raw) {
    Bounds.check(0, 0, 1, RAW_SUMS, raw.length);
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
      throw MachineCode.unexpected(e);
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
      throw MachineCode.unexpected(e);
    }
  }

  /** See {@link PanelCopy#checked}. */
  static void checked(
      MemorySegment source,
      long from,
      long stride,
      MemorySegment panels,
      long to,
      int depth,
      int signs,
      PanelCopy.Survey survey,
      long[] raw) {
    if (depth == 0) {
      Arrays.fill(raw, 0);
      return;
    }
    Bounds.check(from, stride, depth, 4L * TILE_COLUMNS, source.byteSize());
    Bounds.check(to, 0, 1, 4L * depth * TILE_COLUMNS, panels.byteSize());
    Bounds.check(signs, 0, 1, TILE_COLUMNS, BlockPass.SIGNS.length);
    Bounds.check(0, LANES, depth, LANES, survey.signed.length);
    Bounds.check(0, LANES, depth, LANES, survey.squares.length);
    Bounds.check(0, 0, 1, LANES, survey.plain.length);
    Bounds.check(0, 0, 1, LANES, survey.total.length);
    Bounds.check(0, 0, 1, RAW_SUMS, raw.length);
    try {
      Checked.CALL.invokeExact(
          source,
          from,
          stride,
          panels,
          to,
          (long) depth,
          MemorySegment.ofArray(BlockPass.SIGNS),
          4L * signs,
          MemorySegment.ofArray(survey.signed),
          MemorySegment.ofArray(survey.squares),
          MemorySegment.ofArray(survey.plain),
          MemorySegment.ofArray(survey.total),
          MemorySegment.ofArray(raw));
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
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

    static final MethodHandle CALL = MachineCode.caller(code(), "pllllplpplplpl");

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
      code.add(SUMS, code.parameter(5));
      code.move(SQUARES, code.parameter(6));
      code.add(SQUARES, code.parameter(7));
      loadChains(code, RAW);
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
                    extendChains(code);
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
      // What passed through is what the first chain grew by.
      code.load(X, new Memory(DIGEST, 0));
      code.vector(VPADDQ, X, X, LOWER);
      code.vector(VPSUBQ, X, X, new Memory(RAW, 0));
      code.store(new Memory(DIGEST, 0), X);
      storeChains(code, RAW);
      code.leave();
      return code.bytes();
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
      startChains(code);
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
                    extendChains(code);
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
      code.vector(VPSUBQ, X, X, LOWER);
      code.store(new Memory(DIGEST, 0), X);
      storeChains(code, RAW);
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
      startChains(code);
      code.countDown(
          ROWS,
          () -> {
            code.move(FROM, ROW);
            code.move(LEFT, VECTORS);
            code.countDown(
                LEFT,
                () -> {
                  code.load(X, new Memory(FROM, 0));
                  extendChains(code);
                  code.add(FROM, VECTOR);
                });
            code.add(ROW, STRIDE);
          });
      storeChains(code, RAW);
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

  private static final class Checked {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr TO = RCX;
    private static final Gpr LEFT = R9;
    private static final Gpr SIGNED = RBX;
    private static final Gpr SQUARES = RBP;
    private static final Gpr PLAIN = R12;
    private static final Gpr TOTAL = R13;
    private static final Gpr RAW = R14;

    /** Signs of two vectors of columns. */
    private static final int SIGN = 6;

    private static final int ALL = 8;
    private static final int ALL_SQUARES = 9;
    private static final int ROW_SIGNED = 10;
    private static final int ROW_SQUARES = 11;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllpllplppppp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(ROW, RSI);
      code.add(TO, R8);
      code.move(RAX, code.parameter(0));
      code.add(RAX, code.parameter(1));
      code.move(SIGNED, code.parameter(2));
      code.move(SQUARES, code.parameter(3));
      code.move(PLAIN, code.parameter(4));
      code.move(TOTAL, code.parameter(5));
      code.move(RAW, code.parameter(6));
      code.load(SIGN, new Memory(RAX, 0));
      code.load(SIGN + 1, new Memory(RAX, VECTOR));
      code.load(ALL, new Memory(PLAIN, 0));
      code.load(ALL_SQUARES, new Memory(TOTAL, 0));
      startChains(code);
      code.countDown(
          LEFT,
          () -> {
            code.load(ROW_SIGNED, new Memory(SIGNED, 0));
            code.load(ROW_SQUARES, new Memory(SQUARES, 0));
            for (int i = 0; i < PAIR; i++) {
              code.load(X, new Memory(ROW, i * VECTOR));
              code.store(new Memory(TO, i * VECTOR), X);
              code.vector(VFMADD231PS, ROW_SIGNED, X, SIGN + i);
              code.vector(VFMADD231PS, ROW_SQUARES, X, X);
              code.vector(VADDPS, ALL, ALL, X);
              code.vector(VFMADD231PS, ALL_SQUARES, X, X);
              extendChains(code);
            }
            code.store(new Memory(SIGNED, 0), ROW_SIGNED);
            code.store(new Memory(SQUARES, 0), ROW_SQUARES);
            code.add(ROW, STRIDE);
            code.add(TO, PAIR * VECTOR);
            code.add(SIGNED, VECTOR);
            code.add(SQUARES, VECTOR);
          });
      code.store(new Memory(PLAIN, 0), ALL);
      code.store(new Memory(TOTAL, 0), ALL_SQUARES);
      storeChains(code, RAW);
      code.leave();
      return code.bytes();
    }
  }

  private static void startChains(Assembler code) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.zero(i);
    }
  }

  private static void loadChains(Assembler code, Gpr raw) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.load(i, new Memory(raw, i * VECTOR));
    }
  }

  /** Running sums of X, whole lanes and upper halves. */
  private static void extendChains(Assembler code) {
    code.shiftRight(HALVED, X, 32);
    for (int i = 0; i < CHAIN; i++) {
      code.vector(VPADDQ, LOWER + i, LOWER + i, i == 0 ? X : LOWER + i - 1);
      code.vector(VPADDQ, UPPER + i, UPPER + i, i == 0 ? HALVED : UPPER + i - 1);
    }
  }

  private static void storeChains(Assembler code, Gpr raw) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.store(new Memory(raw, i * VECTOR), i);
    }
  }
}
