package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MicroKernel.AHEAD_STEP;
import static dev.regolith.kernels.backend.vector.MicroKernel.ROW;
import static dev.regolith.kernels.backend.vector.MicroKernel.STRIP_STRIDE;
import static dev.regolith.kernels.backend.vector.VectorShapes.CHECKING_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.REGISTERS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
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
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPSUBQ;

import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import dev.regolith.kernels.machine.Gpr;

/**
 * Writes the micro-kernels as machine code, for the System V calling convention: the loops of
 * {@link MicroKernel#sweep} and {@link DirectKernel#multiply} with everything in registers. A step
 * along k of a tile of six rows is twenty instructions for twelve multiply-adds; of the bytecode
 * the JIT makes thirty-five.
 */
sealed class MachineKernelWriter permits AbreastKernelWriter {
  /** Steps along k in one turn of the loop. */
  static final int STEPS = 4;

  /**
   * How many steps ahead rows of B are asked for: where strips are high, a panel is in L2 for most
   * of them; where there are few strips, and low ones, a panel comes from further away.
   */
  private static final int STEPS_AHEAD = 32;

  private static final int STEPS_AHEAD_OF_LOW = 96;
  private static final int LOW = 8;

  // What stays in general registers throughout: parameters of the sweep, and places that move.
  static final Gpr STRIP = RBX;
  static final Gpr PANEL = R12;
  static final Gpr STRIDE = RCX;
  static final Gpr COUNT = R8;
  static final Gpr DEPTH = R9;
  static final Gpr FROM = R14;
  static final Gpr TO = R15;
  static final Gpr SUMS = RBP;
  private static final Gpr DIGEST = RDX;
  private static final Gpr AHEAD = R13;

  // What moves along k: three rows of A, those behind them, a row of B, what will be read soon;
  // steps left.
  private static final Gpr UPPER = RDI;
  private static final Gpr LOWER = R11;
  static final Gpr B = RSI;
  private static final Gpr SOON = R10;
  static final Gpr LEFT = RAX;

  /** Floats in a cache line. */
  private static final int LINE = 16;

  private static final int ROWS_APART = 4 * STRIP_STRIDE;

  // Of a kernel that reads operands where they lie: from a row of B to the next, and three times
  // that; from a row of A to the next, and every third row of A; what will be read soon, where
  // other kernels have the place of the digest.
  private static final Gpr ROW_OF_B = RCX;
  private static final Gpr ROWS_OF_B = R13;
  private static final Gpr ROW_OF_A = R14;
  private static final Gpr[] THIRD_ROWS = {UPPER, LOWER, SOON, SUMS};
  private static final Gpr NEXT_LINE = RDX;

  // Parameters on the stack that every kernel has; a kernel of several strips keeps places there.
  private static final int TILES_BASE = 0;
  private static final int TO_AT = 1;
  private static final int DIGESTS = 2;
  private static final int DIGEST_AT = 3;
  private static final int C_BASE = 4;
  private static final int C_AT = 5;
  static final int ROW_OF_C = 6;
  static final int STRIPS = 7;
  private static final int APART = 8;
  private static final int BACK = 9;
  private static final int PANELS_APART = 10;

  // Those of a kernel that reads copies, and of one that reads operands where they lie.
  private static final int FROM_AT = 11;
  static final int AHEAD_BY = 12;
  private static final int SUMS_BASE = 13;
  private static final int A_STRIDE = 11;
  private static final int B_STRIDE = 12;
  private static final int AHEAD_AT = 13; // of a kernel that continues: from a row of B
  private static final int AHEAD_STEP_BYTES = 14;
  private static final int LAST_LANES = 15;

  // Vector registers: accumulators come first, two for each row; then the running sums of a kernel
  // that checks.
  static final int SUM = REGISTERS - 6;
  private static final int B0 = REGISTERS - 4;
  private static final int[] X = {REGISTERS - 2, REGISTERS - 1};

  /** The mask of a last vector: of AVX-512, or in the place of the second broadcast. */
  private static final int LANES_MASK = VectorShapes.THIRTY_TWO_REGISTERS ? 1 : X[1];

  final Assembler code = VectorShapes.assembler();
  final int rows;
  private final boolean continues;
  final boolean checks;
  private final Into into;

  /** Whether A and B are read where they lie, and not from copies. */
  private final boolean direct;

  /** Vectors of a panel's row; and whether the last has only the lanes of a mask. */
  private final int vectors;

  private final boolean masks;

  MachineKernelWriter(
      int rows,
      boolean continues,
      boolean checks,
      Into into,
      boolean direct,
      DirectKernel.Width width) {
    if (rows < 1 || rows > (checks ? CHECKING_ROWS : TILE_ROWS)) {
      throw new IllegalArgumentException("no registers for a tile of " + rows + " rows");
    }
    this.rows = rows;
    this.continues = continues;
    this.checks = checks;
    this.into = into;
    this.direct = direct;
    this.vectors = width.vectors;
    this.masks = width != DirectKernel.Width.FULL;
    if (masks && into != Into.C) {
      throw new IllegalArgumentException("tiles are full");
    }
    if (direct && (into == Into.ROWS || (continues && into != Into.C))) {
      throw new IllegalArgumentException("no place for what is read where it lies");
    }
  }

  /** A new kernel; see {@link MicroKernels#of}. */
  static MachineKernel write(
      int rows, boolean continues, boolean checks, Into into, boolean abreast) {
    var writer =
        abreast
            ? new AbreastKernelWriter(rows, continues, checks, into)
            : new MachineKernelWriter(
                rows, continues, checks, into, false, DirectKernel.Width.FULL);
    writer.function();
    return new MachineKernel(writer.code.bytes(), rows, continues, checks, into, abreast);
  }

  /** A new kernel; see {@link DirectKernel#of}. */
  static DirectKernel writeDirect(
      int rows, boolean continues, Into into, DirectKernel.Width width) {
    var writer = new MachineKernelWriter(rows, continues, false, into, true, width);
    writer.function();
    return new DirectKernel(writer.code.bytes(), rows, into, width);
  }

  private void function() {
    code.enter(ownBytes());
    code.move(STRIP, RDI);
    code.add(STRIP, RSI);
    code.move(PANEL, RDX);
    code.add(PANEL, RCX);
    code.move(DIGEST, code.parameter(DIGESTS));
    code.add(DIGEST, code.parameter(DIGEST_AT));
    code.move(TO, code.parameter(into == Into.C ? C_BASE : TILES_BASE));
    code.add(TO, code.parameter(into == Into.C ? C_AT : TO_AT));
    if (direct) {
      openDirect();
    } else {
      code.move(STRIDE, code.parameter(PANELS_APART));
      code.move(FROM, code.parameter(TILES_BASE));
      code.add(FROM, code.parameter(FROM_AT));
      code.move(SUMS, code.parameter(SUMS_BASE));
    }
    panels();
    code.leave();
  }

  /** Bytes on the stack that a kernel has for itself. */
  int ownBytes() {
    return 0;
  }

  /** All panels, one after the other. */
  void panels() {
    if (!direct) {
      code.move(AHEAD, code.parameter(AHEAD_BY));
    }
    code.countDown(
        COUNT,
        () -> {
          if (direct || MicroKernel.repeats(continues, checks, into)) {
            strips();
          } else {
            tile();
            code.add(FROM, 4 * TILE);
            code.add(TO, across());
            code.add(SUMS, ofSums());
          }
          nextPanel();
        });
  }

  private void openDirect() {
    code.move(code.parameter(DIGESTS), DIGEST);
    code.move(NEXT_LINE, code.parameter(AHEAD_AT));
    code.move(ROW_OF_B, code.parameter(B_STRIDE));
    code.address(ROWS_OF_B, new Memory(ROW_OF_B, ROW_OF_B, 2, 0));
    if (masks && VectorShapes.THIRTY_TWO_REGISTERS) {
      code.mask(LANES_MASK, code.parameter(LAST_LANES));
    } else if (masks) { // what goes into C has no tiles: the mask comes in their place
      code.move(LEFT, code.parameter(TILES_BASE));
      code.add(LEFT, code.parameter(TO_AT));
      code.load(LANES_MASK, new Memory(LEFT, 0));
    }
    code.move(ROW_OF_A, code.parameter(A_STRIDE));
    code.set(LEFT, rows);
    code.multiply(LEFT, ROW_OF_A);
    code.move(code.parameter(A_STRIDE), LEFT); // a strip's rows from here on
  }

  private void nextPanel() {
    if (direct) {
      code.add(PANEL, code.parameter(PANELS_APART));
    } else {
      code.add(PANEL, STRIDE);
    }
  }

  /** From where a panel's result goes to the next panel's. */
  int across() {
    return into == Into.TILES ? 4 * TILE : 4 * TILE_COLUMNS;
  }

  /** Bytes of a panel's sums. */
  int ofSums() {
    return checks ? 4 * LANES * Digest.SUMS : 0;
  }

  /**
   * The tiles of all strips with one panel; parameters that were read keep what has no register.
   */
  private void strips() {
    Memory first = code.parameter(TILES_BASE);
    Memory left = code.parameter(TO_AT);
    Memory step = code.parameter(APART);
    Memory back = code.parameter(BACK);
    code.move(first, STRIP);
    code.move(LEFT, code.parameter(STRIPS));
    var again = new Label();
    code.bind(again);
    code.move(left, LEFT);
    tile();
    code.add(TO, step);
    if (direct) {
      code.add(STRIP, code.parameter(A_STRIDE));
    } else {
      code.add(STRIP, rows * ROWS_APART);
      code.add(FROM, step);
    }
    code.move(LEFT, left);
    code.subtract(LEFT, 1);
    code.jump(When.NOT_ZERO, again);
    code.move(STRIP, first);
    code.add(TO, back);
    if (!direct) {
      code.add(FROM, back);
    }
  }

  private void tile() {
    openTile();
    openRows();
    if (!direct) {
      code.move(SOON, PANEL);
      code.add(SOON, AHEAD);
    } else if (continues) {
      code.move(NEXT_LINE, PANEL);
      code.add(NEXT_LINE, code.parameter(AHEAD_AT));
    }
    // The next panel's tile: parked tiles come from far away.
    for (int line = 0; !direct && continues && line < rows * TILE_COLUMNS; line += LINE) {
      VectorShapes.ask(code, new Memory(FROM, 4 * (TILE + line)));
    }
    code.move(LEFT, DEPTH);
    code.inTurns(LEFT, STEPS, this::steps);
    close();
  }

  /** The accumulators and sums that a tile begins with. */
  void openTile() {
    if (direct && continues) {
      loadC();
      return;
    }
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < vectors; half++) {
        if (continues) {
          code.load(2 * row + half, inTile(FROM, row, half));
        } else {
          code.zero(2 * row + half);
        }
      }
    }
    for (int i = 0; checks && i < Digest.SUMS; i++) {
      code.zero(SUM + i);
    }
  }

  /** Accumulators from C; what was stored there is taken out of the digest again. */
  private void loadC() {
    int digest = B0;
    code.move(LEFT, code.parameter(DIGESTS));
    code.load(digest, new Memory(LEFT, 0));
    code.move(B, TO);
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < vectors; half++) {
        load(2 * row + half, new Memory(B, 4 * half * LANES), half);
        code.vector(VPSUBQ, digest, digest, 2 * row + half);
      }
      code.add(B, code.parameter(ROW_OF_C));
    }
    code.store(new Memory(LEFT, 0), digest);
  }

  /** The first step's rows of A and B. */
  void openRows() {
    code.move(B, PANEL);
    code.move(UPPER, STRIP);
    for (int row = 3; direct && row < rows; row += 3) {
      Gpr third = THIRD_ROWS[row / 3];
      code.address(third, new Memory(THIRD_ROWS[row / 3 - 1], ROW_OF_A, 2, 0));
      code.add(third, ROW_OF_A);
    }
    if (!direct && rows > 3) {
      code.address(LOWER, new Memory(STRIP, 3 * ROWS_APART));
    }
  }

  /** A row of B, some steps on. */
  private Memory ofB(int step, int half) {
    if (!direct) {
      return new Memory(B, 4 * (step * TILE_COLUMNS + half * LANES));
    }
    return rowOfB(B, step, 4 * half * LANES);
  }

  /** Somewhere in a row, some rows of B behind a first one. */
  private static Memory rowOfB(Gpr first, int step, int bytes) {
    return switch (step) {
      case 0 -> new Memory(first, bytes);
      case 3 -> new Memory(first, ROWS_OF_B, 1, bytes);
      default -> new Memory(first, ROW_OF_B, step, bytes);
    };
  }

  /** An element of A. */
  private Memory ofA(int row, int step) {
    if (!direct) {
      Gpr base = row < 3 ? UPPER : LOWER;
      return new Memory(base, (row < 3 ? row : row - 3) * ROWS_APART + 4 * step);
    }
    Gpr third = THIRD_ROWS[row / 3];
    int behind = row % 3;
    return behind == 0
        ? new Memory(third, 4 * step)
        : new Memory(third, ROW_OF_A, behind, 4 * step);
  }

  private void advance(int count) {
    if (!direct) {
      code.add(UPPER, 4 * count);
      if (rows > 3) {
        code.add(LOWER, 4 * count);
      }
      code.add(B, 4 * TILE_COLUMNS * count);
      return;
    }
    for (int row = 0; row < rows; row += 3) {
      code.add(THIRD_ROWS[row / 3], 4 * count);
    }
    code.address(B, new Memory(B, ROW_OF_B, count, 0));
    if (continues) {
      code.address(NEXT_LINE, new Memory(NEXT_LINE, ROW_OF_B, count, 0));
    }
  }

  void steps(int count) {
    for (int step = 0; step < count; step++) {
      for (int half = 0; half < vectors; half++) {
        load(B0 + half, ofB(step, half), half);
      }
      for (int line = 0; direct && continues && line < vectors * LANES; line += LINE) {
        VectorShapes.ask(code, rowOfB(NEXT_LINE, step, 4 * line));
      }
      if (direct && !continues && step == 0 && count > 1) {
        VectorShapes.ask(code, new Memory(NEXT_LINE, 0));
        code.add(NEXT_LINE, code.parameter(AHEAD_STEP_BYTES));
      }
      if (step * AHEAD_STEP % 64 == 0 && asks(count)) {
        VectorShapes.ask(code, new Memory(SOON, step * AHEAD_STEP));
      }
      for (int half = 0; readsAhead(count) && half < vectors; half++) {
        if ((step * TILE_COLUMNS + half * LANES) % LINE == 0) {
          askAhead(step, half);
        }
      }
      for (int row = 0; row < rows; row++) {
        int x = broadcast(step * rows + row);
        code.broadcast(x, ofA(row, step));
        for (int half = 0; half < vectors; half++) {
          code.vector(VFMADD231PS, 2 * row + half, x, B0 + half);
        }
      }
      for (int half = 0; checks && half < 2; half++) {
        code.vector(VPADDQ, SUM, SUM, B0 + half);
        code.vector(VPADDQ, SUM + 1, SUM + 1, SUM);
      }
    }
    advance(count);
    if (asks(count)) {
      code.add(SOON, AHEAD_STEP * count);
    }
  }

  /** The register of the next element of A: one after the other, if there are two. */
  private int broadcast(int number) {
    return masks && !VectorShapes.THIRTY_TWO_REGISTERS ? X[0] : X[number % X.length];
  }

  /** Loads a vector of a panel's row. */
  private void load(int vector, Memory from, int half) {
    if (isMasked(half)) {
      code.loadMasked(LANES_MASK, vector, from);
    } else {
      code.load(vector, from);
    }
  }

  private boolean isMasked(int half) {
    return masks && half == vectors - 1;
  }

  /** Whether steps ask for rows of B that are about to be read, wherever the panel is. */
  boolean readsAhead(int count) {
    return count > 1 && !direct && VectorShapes.THIRTY_TWO_REGISTERS;
  }

  /** What a step asks for of them. */
  void askAhead(int step, int half) {
    VectorShapes.ask(code, ofB(step + (rows <= LOW ? STEPS_AHEAD_OF_LOW : STEPS_AHEAD), half));
  }

  /** Whether steps ask for what will be read soon. */
  boolean asks(int count) {
    return count > 1 && !direct;
  }

  void close() {
    int digest = B0;
    Gpr digestAt = direct ? LEFT : DIGEST;
    if (direct) {
      code.move(digestAt, code.parameter(DIGESTS));
    }
    code.load(digest, new Memory(digestAt, 0));
    if (into == Into.C) {
      code.move(B, TO);
    }
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < vectors; half++) {
        int accumulator = 2 * row + half;
        Memory to =
            switch (into) {
              case TILES -> inTile(TO, row, half);
              case ROWS -> new Memory(TO, 4 * (row * ROW + half * LANES));
              case C -> new Memory(B, 4 * half * LANES);
            };
        store(accumulator, to, half, digest);
      }
      if (into == Into.C) {
        code.add(B, code.parameter(ROW_OF_C));
      }
    }
    code.store(new Memory(digestAt, 0), digest);
    for (int i = 0; checks && i < Digest.SUMS; i++) {
      code.store(new Memory(SUMS, 4 * LANES * i), SUM + i);
    }
  }

  private void store(int accumulator, Memory to, int half, int digest) {
    if (isMasked(half)) {
      code.zeroUnmasked(LANES_MASK, accumulator); // not a number, where one of A met a zero
      code.storeMasked(LANES_MASK, to, accumulator);
    } else {
      code.store(to, accumulator);
    }
    code.vector(VPADDQ, digest, digest, accumulator);
  }

  private static Memory inTile(Gpr base, int row, int half) {
    return new Memory(base, 4 * (row * TILE_COLUMNS + half * LANES));
  }
}
