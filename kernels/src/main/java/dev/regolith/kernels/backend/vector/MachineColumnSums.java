package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MachineChains.VECTOR;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R12;
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
import static dev.regolith.kernels.machine.VectorOp.VMULPS;
import static dev.regolith.kernels.machine.VectorOp.VPERMILPS;
import static dev.regolith.kernels.machine.VectorOp.VPSUBQ;

import dev.regolith.kernels.checksum.CheckBlock;
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
 * Reads blocks in machine code, one after the other in a call: each row by row for its seal, and
 * then, while it is near, downwards for the sums of columns that {@link ColumnSums} is made of, two
 * vectors of columns at a time or, with those of 512 bits, four, whose sums stay in registers.
 */
final class MachineColumnSums {
  /** Vectors of columns side by side. */
  private static final int PAIR = 2;

  private static final int LINE = 64;

  /** Of four lanes: the second, the first, the fourth, the third. */
  private static final int NEIGHBOURS = 0xB1;

  /** What is added up of the columns of a matrix. */
  enum Kind {
    /** Words with the signs of their rows; what was read is taken out of a digest, too. */
    SIGNED(0, 1),
    /** Words with the signs of their rows, words as they are, and their squares. */
    SURVEYED(1, 3),
    /** Words times three factors of their row: two as they are, their squares with the third. */
    PREDICTED(2, 3),
    /**
     * Words times the first of these factors alone, each in the lane of its neighbour: a lane that
     * computes wrongly does not do so to the same words twice.
     */
    REPEATED(3, 1);

    private final int number;

    /** How many sums. */
    final int sums;

    Kind(int number, int sums) {
      this.number = number;
      this.sums = sums;
    }
  }

  private MachineColumnSums() {}

  /** Whether rows may end anywhere: what they lack counts as zeros. Else they are full vectors. */
  static boolean masks() {
    return VectorShapes.THIRTY_TWO_REGISTERS && PAIR * LANES == CheckBlock.UNIT;
  }

  /**
   * Adds what blocks contribute to the sums of their columns.
   *
   * @param scans whether their seals are wanted, and put into {@link Blocks#sums}
   * @param factors of the rows: signs, or those of {@link Kind#PREDICTED} and {@link Kind#REPEATED}
   * @param factor place of the first row's
   * @param sum place of the first column's sum
   * @param digests of {@link Kind#SIGNED}, one for each block; what was read is subtracted
   */
  static void add(
      Kind kind,
      Blocks blocks,
      boolean scans,
      MemorySegment factors,
      long factor,
      MemorySegment sums,
      long sum,
      long[] digests,
      int digestAt) {
    int count = blocks.count();
    int pairs = blocks.width() / (PAIR * LANES);
    blocks.check();
    int factorRows = kind == Kind.PREDICTED ? kind.sums : 1;
    int factorsLong = blocks.across ? blocks.height : blocks.rows;
    int sumsLong = blocks.across ? blocks.width() * count : blocks.width();
    Bounds.check(4 * factor, ColumnSums.BYTES, factorRows, 4L * factorsLong, factors.byteSize());
    Bounds.check(4 * sum, ColumnSums.BYTES, kind.sums, 4L * sumsLong, sums.byteSize());
    if (scans) {
      Bounds.check(0, SealLanes.LANE_SUMS, count, SealLanes.LANE_SUMS, blocks.sums.length);
    }
    if (scans && kind == Kind.SIGNED) {
      Bounds.check(digestAt, WIDE_LANES, count, WIDE_LANES, digests.length);
    }
    try {
      Linked.CALL.invokeExact(
          blocks.memory,
          blocks.offset,
          blocks.stride(),
          Bounds.turns(blocks.rows),
          Bounds.turns(blocks.height),
          Bounds.turns(pairs) - 1,
          factors,
          4 * factor,
          sums,
          4 * sum,
          blocks.apart(),
          blocks.across ? 0L : 4L * blocks.height,
          blocks.across ? 4L * blocks.width() : 0L,
          MemorySegment.ofArray(blocks.sums),
          MemorySegment.ofArray(digests),
          8L * digestAt,
          (1L << (blocks.columns - (pairs - 1) * PAIR * LANES)) - 1,
          scans ? blocks.across ? (long) JOINED : APART_ROWS : 0L,
          (long) -blocks.height,
          (long) kind.number,
          blocks.ahead());
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** Linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL =
        MachineCode.caller(code(), "plllll" + "plpl" + "lll" + "ppl" + "lllll");
  }

  // Parameters on the stack; what moves from block to block is kept there.
  private static final int FACTORS = 0;
  private static final int FACTOR = 1;
  private static final int SUMS = 2;
  private static final int SUM = 3;
  private static final int APART = 4;
  private static final int FACTORS_STEP = 5;
  private static final int SUMS_STEP = 6;
  private static final int FOUND = 7;
  private static final int DIGESTS = 8;
  private static final int DIGEST_AT = 9;
  private static final int MASKS = 10;
  private static final int SCANS = 11;
  private static final int MINUS_HEIGHT = 12;
  private static final int KIND = 13;
  private static final int AHEAD_BY = 14;

  // Of all blocks, and of the one at hand: where it starts, its rows.
  private static final Gpr BLOCK = RDI;
  private static final Gpr STRIDE = RDX;
  private static final Gpr LEFT = RCX;
  private static final Gpr HEIGHT = R8;
  private static final Gpr PAIRS = R9;
  private static final Gpr ROWS = R14;

  // While it is scanned.
  private static final Gpr ROW = R11;
  private static final Gpr WORDS = R10;
  private static final Gpr ROWS_LEFT = R15;
  private static final Gpr PAIRS_LEFT = RAX;
  private static final Gpr PAIRS_OF_ROW = RSI;
  private static final Gpr AHEAD = RBX;

  // Whether blocks are scanned: rows that lie apart, or a panel's, of a pair each, as one.
  private static final int APART_ROWS = 1;
  private static final int JOINED = 2;

  // While its columns are added up.
  private static final Gpr COLUMN = R10;
  private static final Gpr FROM = R11;
  private static final Gpr FACTOR_OF_ROW = RSI;
  private static final Gpr FACTORS_OF_BLOCK = RBX;
  private static final Gpr SUMS_OF_BLOCK = RBP;
  private static final Gpr COLUMNS_LEFT = R12;
  private static final Gpr STEPS_LEFT = RAX;

  /**
   * Pairs of vectors that are added up together where registers allow: a sum alone would wait for
   * itself.
   */
  private static final int TOGETHER = masks() ? 2 : 1;

  // Registers: of every sum, then the row's factors, then words and what is made of them.
  private static final int BROADCAST = TOGETHER * PAIR * Kind.SURVEYED.sums;
  private static final int X = BROADCAST + Kind.PREDICTED.sums;

  private static byte[] code() {
    Assembler code = VectorShapes.assembler();
    var block = new Label();
    var whole = new Label();
    var taken = new Label();
    var scanned = new Label();
    code.enter(MachineChains.ON_STACK);
    code.add(BLOCK, RSI);
    move(code, FACTORS, code.parameter(FACTOR));
    move(code, SUMS, code.parameter(SUM));
    move(code, DIGESTS, code.parameter(DIGEST_AT));
    if (masks()) {
      Memory masks = code.parameter(MASKS);
      for (int i = 0; i < PAIR; i++) {
        code.mask(1 + i, new Memory(masks.base(), masks.displacement() + i * Short.BYTES));
      }
    }
    code.bind(block);
    code.move(ROWS, HEIGHT);
    code.add(LEFT, code.parameter(MINUS_HEIGHT));
    code.jump(When.NOT_LESS, whole);
    code.add(ROWS, LEFT);
    code.bind(whole);
    code.move(RAX, code.parameter(SCANS));
    code.add(RAX, 0);
    code.jump(When.ZERO, scanned);
    scan(code);
    code.move(RAX, code.parameter(KIND));
    code.subtract(RAX, Kind.SIGNED.number);
    code.jump(When.NOT_ZERO, taken);
    code.move(RAX, code.parameter(DIGESTS));
    code.load(MachineChains.X, new Memory(RAX, 0));
    code.vector(VPSUBQ, MachineChains.X, MachineChains.X, MachineChains.LOWER);
    code.store(new Memory(RAX, 0), MachineChains.X);
    code.add(RAX, VECTOR);
    code.move(code.parameter(DIGESTS), RAX);
    code.bind(taken);
    MachineChains.addLanesUp(code, code.parameter(FOUND));
    code.bind(scanned);
    addUp(code);
    code.add(BLOCK, code.parameter(APART));
    move(code, FACTORS, code.parameter(FACTORS_STEP));
    move(code, SUMS, code.parameter(SUMS_STEP));
    code.add(LEFT, 0);
    code.jump(When.MORE, block);
    code.leave();
    return code.bytes();
  }

  /** Moves a place that is kept on the stack. */
  private static void move(Assembler code, int place, Memory by) {
    code.move(RAX, code.parameter(place));
    code.add(RAX, by);
    code.move(code.parameter(place), RAX);
  }

  private static void scan(Assembler code) {
    MachineChains.start(code);
    var apart = new Label();
    code.move(ROW, BLOCK);
    code.move(ROWS_LEFT, ROWS);
    code.move(AHEAD, code.parameter(AHEAD_BY));
    code.move(PAIRS_OF_ROW, PAIRS);
    code.move(PAIRS_LEFT, code.parameter(SCANS));
    code.subtract(PAIRS_LEFT, JOINED);
    code.jump(When.NOT_ZERO, apart);
    code.address(PAIRS_OF_ROW, new Memory(ROWS, -1));
    code.set(ROWS_LEFT, 1);
    code.bind(apart);
    code.countDown(
        ROWS_LEFT,
        () -> {
          var last = new Label();
          code.move(WORDS, ROW);
          code.move(PAIRS_LEFT, PAIRS_OF_ROW);
          code.add(PAIRS_LEFT, 0);
          code.jump(When.ZERO, last);
          code.countDown(
              PAIRS_LEFT,
              () -> {
                scan(code, false);
                code.add(WORDS, PAIR * VECTOR);
              });
          code.bind(last);
          scan(code, masks());
          code.add(ROW, STRIDE);
        });
  }

  private static void scan(Assembler code, boolean masked) {
    for (int i = 0; i < PAIR; i++) {
      var words = new Memory(WORDS, i * VECTOR);
      load(code, MachineChains.X, words, i, masked);
      if (i * VECTOR % LINE == 0) {
        VectorShapes.ask(code, new Memory(WORDS, AHEAD, 1, i * VECTOR));
      }
      MachineChains.extend(code);
    }
  }

  private static void load(Assembler code, int vector, Memory from, int half, boolean masked) {
    if (masked) {
      code.loadMasked(1 + half, vector, from);
    } else {
      code.load(vector, from);
    }
  }

  /** What a kind adds up. */
  private static void addUp(Assembler code) {
    var done = new Label();
    for (var kind : Kind.values()) {
      var other = new Label();
      code.move(RAX, code.parameter(KIND));
      code.subtract(RAX, kind.number);
      code.jump(When.NOT_ZERO, other);
      addUp(code, kind);
      code.jump(done);
      code.bind(other);
    }
    code.bind(done);
  }

  private static void addUp(Assembler code, Kind kind) {
    var turn = new Label();
    var rest = new Label();
    var last = new Label();
    var done = new Label();
    code.move(COLUMN, BLOCK);
    code.move(FACTORS_OF_BLOCK, code.parameter(FACTORS));
    code.move(SUMS_OF_BLOCK, code.parameter(SUMS));
    code.move(COLUMNS_LEFT, PAIRS);
    code.subtract(COLUMNS_LEFT, TOGETHER);
    code.jump(When.LESS, rest);
    code.bind(turn);
    addUp(code, kind, TOGETHER, false);
    code.add(COLUMN, TOGETHER * PAIR * VECTOR);
    code.add(SUMS_OF_BLOCK, TOGETHER * PAIR * VECTOR);
    code.subtract(COLUMNS_LEFT, TOGETHER);
    code.jump(When.NOT_LESS, turn);
    code.bind(rest);
    if (TOGETHER > 1) {
      code.add(COLUMNS_LEFT, TOGETHER);
      code.jump(When.ZERO, last);
      addUp(code, kind, TOGETHER, masks());
      code.jump(done);
      code.bind(last);
    }
    addUp(code, kind, 1, masks());
    code.bind(done);
  }

  /** Some pairs of vectors of columns, the last of which may be masked. */
  private static void addUp(Assembler code, Kind kind, int pairs, boolean masked) {
    int vectors = PAIR * pairs;
    code.move(FROM, COLUMN);
    code.move(FACTOR_OF_ROW, FACTORS_OF_BLOCK);
    code.move(STEPS_LEFT, ROWS);
    for (int i = 0; i < vectors * kind.sums; i++) {
      code.load(i, place(i, vectors));
      exchange(code, kind, i);
    }
    code.countDown(
        STEPS_LEFT,
        () -> {
          row(code, kind, vectors, masked);
          code.add(FROM, STRIDE);
          code.add(FACTOR_OF_ROW, Float.BYTES);
        });
    for (int i = 0; i < vectors * kind.sums; i++) {
      exchange(code, kind, i);
      code.store(place(i, vectors), i);
    }
  }

  /** Exchanges lanes with their neighbours. */
  private static void exchange(Assembler code, Kind kind, int vector) {
    if (kind == Kind.REPEATED) {
      code.vector(VPERMILPS, vector, 0, vector, NEIGHBOURS);
    }
  }

  private static Memory place(int register, int vectors) {
    int line = register / vectors;
    return new Memory(SUMS_OF_BLOCK, line * ColumnSums.BYTES + register % vectors * VECTOR);
  }

  private static void row(Assembler code, Kind kind, int vectors, boolean masked) {
    int factors = kind == Kind.PREDICTED ? kind.sums : 1;
    for (int i = 0; i < factors; i++) {
      code.broadcast(BROADCAST + i, new Memory(FACTOR_OF_ROW, i * ColumnSums.BYTES));
    }
    for (int i = 0; i < vectors; i++) {
      int x = X + i % PAIR;
      int half = i - (vectors - PAIR);
      load(code, x, new Memory(FROM, i * VECTOR), half, masked && half >= 0);
      exchange(code, kind, x);
      code.vector(VFMADD231PS, i, BROADCAST, x);
      switch (kind) {
        case SIGNED, REPEATED -> {}
        case SURVEYED -> {
          code.vector(VADDPS, vectors + i, vectors + i, x);
          code.vector(VFMADD231PS, 2 * vectors + i, x, x);
        }
        case PREDICTED -> {
          int weighted = X + PAIR + i % PAIR;
          code.vector(VFMADD231PS, vectors + i, BROADCAST + 1, x);
          code.vector(VMULPS, weighted, x, BROADCAST + 2);
          code.vector(VFMADD231PS, 2 * vectors + i, weighted, x);
        }
      }
    }
  }
}
