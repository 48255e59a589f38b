package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MachineChains.VECTOR;
import static dev.regolith.kernels.backend.vector.MachineChains.X;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
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

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * {@link PanelCopy} in machine code: the panels of a check block, a chunk of rows after the other,
 * and within it a panel after the other. While a panel's rows are copied, whole rows of the next
 * chunk are asked for: in a matrix whose rows are far apart, the processor foresees none of them.
 */
final class MachinePacking {
  private static final int LINE = 64;

  /** Vectors of a panel's row. */
  private static final int PAIR = 2;

  private MachinePacking() {}

  /** See {@link PanelCopy#copy}. */
  static void copy(
      MemorySegment source,
      long from,
      long stride,
      PanelPlace to,
      int panel,
      int count,
      int depth) {
    check(source, from, stride, to, panel, count, depth);
    int chunk = PanelCopy.chunk(depth);
    try {
      Copy.CALL.invokeExact(
          source,
          from,
          stride,
          to.memory(),
          to.offset(panel),
          chunks(depth, chunk),
          (long) count,
          (long) chunk,
          lastChunk(depth, chunk),
          to.stride(),
          (1L - count) * PAIR * VECTOR,
          (1L - count) * to.stride(),
          chunk * stride,
          asked(chunk, count),
          lines(count));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** See {@link PanelCopy#checked}. */
  static void checked(
      MemorySegment source,
      long from,
      long stride,
      PanelPlace to,
      int panel,
      int count,
      int depth,
      int signs,
      PanelCopy.Survey survey,
      long[] raw) {
    check(source, from, stride, to, panel, count, depth);
    Bounds.check(signs, TILE_COLUMNS, count, TILE_COLUMNS, BlockPass.SIGNS.length);
    Bounds.check(0, LANES, depth, LANES, survey.signed.length);
    Bounds.check(0, LANES, depth, LANES, survey.squares.length);
    Bounds.check(0, 0, 1, LANES, survey.plain.length);
    Bounds.check(0, 0, 1, LANES, survey.total.length);
    Bounds.check(0, SealLanes.RAW, count, SealLanes.RAW, raw.length);
    int chunk = PanelCopy.chunk(depth);
    try {
      Checked.CALL.invokeExact(
          source,
          from,
          stride,
          to.memory(),
          to.offset(panel),
          chunks(depth, chunk),
          (long) count,
          (long) chunk,
          lastChunk(depth, chunk),
          to.stride(),
          (1L - count) * PAIR * VECTOR,
          (1L - count) * to.stride(),
          chunk * stride,
          asked(chunk, count),
          lines(count),
          BlockPass.ALIGNED_SIGNS,
          4L * signs,
          MemorySegment.ofArray(survey.signed),
          MemorySegment.ofArray(survey.squares),
          MemorySegment.ofArray(survey.plain),
          MemorySegment.ofArray(survey.total),
          MemorySegment.ofArray(raw));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  private static void check(
      MemorySegment source,
      long from,
      long stride,
      PanelPlace to,
      int panel,
      int count,
      int depth) {
    Bounds.check(from, stride, depth, 4L * count * TILE_COLUMNS, source.byteSize());
    long size = 4L * depth * TILE_COLUMNS;
    Bounds.check(to.offset(panel), to.stride(), count, size, to.memory().byteSize());
  }

  private static long chunks(int depth, int chunk) {
    return Math.ceilDiv(depth, chunk);
  }

  private static long lastChunk(int depth, int chunk) {
    return depth - (chunks(depth, chunk) - 1) * chunk;
  }

  /** Rows of the next chunk that are asked for with each panel of this one. */
  private static long asked(int chunk, int count) {
    return Math.ceilDiv(chunk, count);
  }

  /** Cache lines of a row. */
  private static long lines(int count) {
    return Math.ceilDiv(count * PAIR * VECTOR, LINE);
  }

  private static final class Copy {
    static final MethodHandle CALL = MachineCode.caller(code(false), "pllplllllllllll");
  }

  private static final class Checked {
    static final MethodHandle CALL = MachineCode.caller(code(true), "pllplllllllllllplppppp");
  }

  // Within a panel's rows of a chunk.
  private static final Gpr ROW = RDI;
  private static final Gpr STRIDE = RDX;
  private static final Gpr TO = RCX;
  private static final Gpr LEFT = R14;
  private static final Gpr SIGNED = RBX;
  private static final Gpr SQUARES = RBP;

  // Within a chunk.
  private static final Gpr FIRST = R10;
  private static final Gpr FIRST_TO = R15;
  private static final Gpr FIRST_SIGNED = R11;
  private static final Gpr FIRST_SQUARES = R12;
  private static final Gpr PANELS = R8;
  private static final Gpr SIGNS = R9;
  private static final Gpr RAW = R13;

  // Across chunks.
  private static final Gpr CHUNKS = RSI;
  private static final Gpr NEXT = RAX;

  // Parameters on the stack, in their order; the second also keeps the rows of the chunk at hand.
  private static final int COUNT = 0;
  private static final int ROWS = 1;
  private static final int LAST_ROWS = 2;
  private static final int PANEL_STRIDE = 3;
  private static final int BACK = 4;
  private static final int BACK_TO = 5;
  private static final int CHUNK_BYTES = 6;
  private static final int ASKED = 7;
  private static final int LINES = 8;
  private static final int ALL_SIGNS = 9;
  private static final int SIGNS_AT = 10;
  private static final int ALL_SIGNED = 11;
  private static final int ALL_SQUARES = 12;
  private static final int PLAIN = 13;
  private static final int TOTAL = 14;
  private static final int ALL_RAW = 15;

  /** Signs of two vectors of columns. */
  private static final int SIGN = 6;

  private static final int SUM = 8;
  private static final int SUM_OF_SQUARES = 9;
  private static final int ROW_SIGNED = 10;
  private static final int ROW_SQUARES = 11;

  private static byte[] code(boolean checks) {
    Assembler code = VectorShapes.assembler();
    code.enter();
    code.move(FIRST, RDI);
    code.add(FIRST, RSI);
    code.move(FIRST_TO, RCX);
    code.add(FIRST_TO, R8);
    code.move(CHUNKS, R9);
    if (checks) {
      code.move(RAX, code.parameter(ALL_SIGNS));
      code.add(RAX, code.parameter(SIGNS_AT));
      code.move(code.parameter(ALL_SIGNS), RAX);
      code.move(FIRST_SIGNED, code.parameter(ALL_SIGNED));
      code.move(FIRST_SQUARES, code.parameter(ALL_SQUARES));
      code.move(RAX, code.parameter(PLAIN));
      code.load(SUM, new Memory(RAX, 0));
      code.move(RAX, code.parameter(TOTAL));
      code.load(SUM_OF_SQUARES, new Memory(RAX, 0));
    }
    code.move(NEXT, FIRST);
    code.add(NEXT, code.parameter(CHUNK_BYTES));
    var chunk = new Label();
    var notLast = new Label();
    code.bind(chunk);
    code.subtract(CHUNKS, 1);
    code.jump(When.NOT_ZERO, notLast);
    code.move(LEFT, code.parameter(LAST_ROWS));
    code.move(code.parameter(ROWS), LEFT);
    code.bind(notLast);
    code.move(PANELS, code.parameter(COUNT));
    if (checks) {
      code.move(SIGNS, code.parameter(ALL_SIGNS));
      code.move(RAW, code.parameter(ALL_RAW));
    }
    code.countDown(
        PANELS,
        () -> {
          ask(code);
          panel(code, checks);
        });
    code.move(FIRST, ROW);
    code.add(FIRST, code.parameter(BACK));
    code.move(FIRST_TO, TO);
    code.add(FIRST_TO, code.parameter(BACK_TO));
    if (checks) {
      code.move(FIRST_SIGNED, SIGNED);
      code.move(FIRST_SQUARES, SQUARES);
    }
    code.move(LEFT, CHUNKS);
    code.subtract(LEFT, 1);
    code.jump(When.NOT_LESS, chunk);
    if (checks) {
      code.move(RAX, code.parameter(PLAIN));
      code.store(new Memory(RAX, 0), SUM);
      code.move(RAX, code.parameter(TOTAL));
      code.store(new Memory(RAX, 0), SUM_OF_SQUARES);
    }
    code.leave();
    return code.bytes();
  }

  /** Asks for some rows of the next chunk, if there is one. */
  private static void ask(Assembler code) {
    var none = new Label();
    code.move(LEFT, CHUNKS);
    code.subtract(LEFT, 1);
    code.jump(When.LESS, none);
    code.move(LEFT, code.parameter(ASKED));
    code.countDown(
        LEFT,
        () -> {
          code.move(ROW, NEXT);
          code.move(TO, code.parameter(LINES));
          code.countDown(
              TO,
              () -> {
                VectorShapes.ask(code, new Memory(ROW, 0));
                code.add(ROW, LINE);
              });
          code.add(NEXT, STRIDE);
        });
    code.bind(none);
  }

  /** Copies a panel's rows of the chunk. */
  private static void panel(Assembler code, boolean checks) {
    code.move(ROW, FIRST);
    code.move(TO, FIRST_TO);
    code.move(LEFT, code.parameter(ROWS));
    if (checks) {
      code.move(SIGNED, FIRST_SIGNED);
      code.move(SQUARES, FIRST_SQUARES);
      code.load(SIGN, new Memory(SIGNS, 0));
      code.load(SIGN + 1, new Memory(SIGNS, VECTOR));
      MachineChains.load(code, RAW);
    }
    code.countDown(
        LEFT,
        () -> {
          if (checks) {
            code.load(ROW_SIGNED, new Memory(SIGNED, 0));
            code.load(ROW_SQUARES, new Memory(SQUARES, 0));
          }
          for (int i = 0; i < PAIR; i++) {
            code.load(X, new Memory(ROW, i * VECTOR));
            code.store(new Memory(TO, i * VECTOR), X);
            if (checks) {
              code.vector(VFMADD231PS, ROW_SIGNED, X, SIGN + i);
              code.vector(VFMADD231PS, ROW_SQUARES, X, X);
              code.vector(VADDPS, SUM, SUM, X);
              code.vector(VFMADD231PS, SUM_OF_SQUARES, X, X);
              MachineChains.extend(code);
            }
          }
          code.add(ROW, STRIDE);
          code.add(TO, PAIR * VECTOR);
          if (checks) {
            code.store(new Memory(SIGNED, 0), ROW_SIGNED);
            code.store(new Memory(SQUARES, 0), ROW_SQUARES);
            code.add(SIGNED, VECTOR);
            code.add(SQUARES, VECTOR);
          }
        });
    if (checks) {
      MachineChains.store(code, RAW);
      code.add(RAW, 8 * SealLanes.RAW);
      code.add(SIGNS, PAIR * VECTOR);
    }
    code.add(FIRST, PAIR * VECTOR);
    code.add(FIRST_TO, code.parameter(PANEL_STRIDE));
  }
}
