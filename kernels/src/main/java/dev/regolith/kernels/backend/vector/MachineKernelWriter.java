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
 *
 * <p>Kernels of few rows wait for memory, and so does, with 32 registers, every kernel that is the
 * first to read panels from there. They read a few panels abreast, some steps of each in turn, with
 * the accumulators on the stack meanwhile: several streams of memory come faster than one
 * (measured, docs/decisions.md).
 */
final class MachineKernelWriter {
  /** Steps along k in one turn of the loop. */
  static final int STEPS = 4;

  /** Most rows of which every kernel reads panels abreast. */
  static final int ROWS_ABREAST = 3;

  /**
   * Most rows of one that does where panels come from memory: with 16 registers it gains little.
   */
  private static final int ROWS_ABREAST_OF_FAR =
      VectorShapes.hasThirtyTwoRegisters() ? TILE_ROWS : ROWS_ABREAST;

  /** Most panels that it reads abreast. */
  static final int ABREAST = 4;

  /**
   * How many steps ahead rows of B are asked for: where strips are high, a panel is in L2 for most
   * of them; where there are few strips, and low ones, a panel comes from further away.
   */
  private static final int STEPS_AHEAD = 32;

  private static final int STEPS_AHEAD_OF_LOW = 96;
  private static final int LOW = 8;

  /** The same of panels that are read abreast. */
  private static final int STEPS_AHEAD_ABREAST = 16;

  /**
   * Steps along k with a panel before the next is read. They are two turns of a loop: written out,
   * they read a fifth slower from memory (measured; the processor's prefetchers seem to follow
   * instructions, and where each is one of a kind find nothing to follow).
   */
  private static final int STEPS_ABREAST = 2 * STEPS;

  // What stays in general registers throughout: parameters of the sweep, and places that move.
  private static final Gpr STRIP = RBX;
  private static final Gpr PANEL = R12;
  private static final Gpr STRIDE = RCX;
  private static final Gpr COUNT = R8;
  private static final Gpr DEPTH = R9;
  private static final Gpr FROM = R14;
  private static final Gpr TO = R15;
  private static final Gpr SUMS = RBP;
  private static final Gpr DIGEST = RDX;
  private static final Gpr AHEAD = R13;

  // Of a kernel that reads panels abreast: rounds to go, and panels from the one at hand on; while
  // it goes along k, the first panel at hand, how far behind a row of B is what it asks for, and
  // what is left of a turn.
  private static final Gpr ROUNDS = R13;
  private static final Gpr TO_GO = R9;
  private static final Gpr AT_HAND = R15;
  private static final Gpr FAR_AHEAD = R14;
  private static final Gpr IN_TURN = RBP;

  // What moves along k: three rows of A, those behind them, a row of B, what will be read soon;
  // steps left. Instead of what will be read soon: where a panel's accumulators are on the stack.
  private static final Gpr UPPER = RDI;
  private static final Gpr LOWER = R11;
  private static final Gpr B = RSI;
  private static final Gpr SOON = R10;
  private static final Gpr KEPT = R10;
  private static final Gpr LEFT = RAX;

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
  private static final int STRIPS = 7;
  private static final int APART = 8;
  private static final int BACK = 9;
  private static final int PANELS_APART = 10;

  // Those of a kernel that reads copies, and of one that reads operands where they lie.
  private static final int FROM_AT = 11;
  private static final int AHEAD_BY = 12;
  private static final int SUMS_BASE = 13;
  private static final int A_STRIDE = 11;
  private static final int B_STRIDE = 12;
  private static final int AHEAD_AT = 13;
  private static final int AHEAD_STEP_BYTES = 14;
  private static final int LAST_LANES = 15;

  // Vector registers: accumulators come first, two for each row; then the running sums of a kernel
  // that checks.
  private static final int SUM = REGISTERS - 6;
  private static final int B0 = REGISTERS - 4;
  private static final int[] X = {REGISTERS - 2, REGISTERS - 1};

  /** What is done with a register and its place in memory. */
  private interface Use {
    void accept(int vector, Memory place);
  }

  /**
   * What a kernel that reads panels abreast has no register for: where a parameter was that has
   * been read.
   */
  private enum Slot {
    FIRST_STRIP(0),
    ALL_STEPS(1),
    FIRST_PANEL(2),
    FIRST_FROM(3),
    FIRST_TO(4),
    FIRST_SUMS(5),
    /** Still that parameter. */
    ROW_OF_C(6),
    MINUS_ROUNDS(7),
    PANEL_STEP(8),
    FROM_STEP(9),
    TO_STEP(10),
    SUMS_STEP(11),
    /** Still that parameter. */
    NEXT(12),
    /** From a panel's end to what its stream goes on with. */
    JUMP(13);

    private final int parameter;

    Slot(int parameter) {
      this.parameter = parameter;
    }
  }

  private final Assembler code = VectorShapes.assembler();
  private final int rows;
  private final boolean continues;
  private final boolean checks;
  private final Into into;

  /** Whether panels are read side by side. */
  private final boolean abreast;

  /** Whether A and B are read where they lie, and not from copies. */
  private final boolean direct;

  /** Vectors of a panel's row; and whether the last has only the lanes of a mask. */
  private final int vectors;

  private final boolean masks;

  private MachineKernelWriter(
      int rows,
      boolean continues,
      boolean checks,
      Into into,
      boolean abreast,
      boolean direct,
      DirectKernel.Width width) {
    if (rows < 1 || rows > (checks ? CHECKING_ROWS : TILE_ROWS)) {
      throw new IllegalArgumentException("no registers for a tile of " + rows + " rows");
    }
    this.rows = rows;
    this.continues = continues;
    this.checks = checks;
    this.into = into;
    this.abreast = abreast;
    this.direct = direct;
    this.vectors = width.vectors;
    this.masks = width != DirectKernel.Width.FULL;
    if (masks && into != Into.C) {
      throw new IllegalArgumentException("tiles are full");
    }
    if (direct && into == Into.ROWS) {
      throw new IllegalArgumentException("scores come from copies");
    }
  }

  /**
   * Whether a kernel reads panels abreast.
   *
   * @param far see {@link MicroKernels#of}
   */
  static boolean readsAbreast(int rows, boolean far) {
    return VectorShapes.MACHINE_CODE && rows <= (far ? ROWS_ABREAST_OF_FAR : ROWS_ABREAST);
  }

  /** A new kernel; see {@link MicroKernels#of}. */
  static MachineKernel write(
      int rows, boolean continues, boolean checks, Into into, boolean abreast) {
    var full = DirectKernel.Width.FULL;
    var writer = new MachineKernelWriter(rows, continues, checks, into, abreast, false, full);
    writer.function();
    return new MachineKernel(writer.code.bytes(), rows, continues, checks, into, abreast);
  }

  /** A new kernel; see {@link DirectKernel#of}. */
  static DirectKernel writeDirect(int rows, Into into, DirectKernel.Width width) {
    var writer = new MachineKernelWriter(rows, false, false, into, false, true, width);
    writer.function();
    return new DirectKernel(writer.code.bytes(), rows, into, width);
  }

  private void function() {
    code.enter(abreast ? ABREAST * kept() : 0);
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
    if (abreast) {
      rounds();
    } else {
      if (!direct) {
        code.move(AHEAD, code.parameter(AHEAD_BY));
      }
      code.countDown(
          COUNT,
          () -> {
            if (MicroKernel.repeats(continues, checks, into)) {
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
    code.leave();
  }

  private void openDirect() {
    code.move(code.parameter(DIGESTS), DIGEST);
    code.move(NEXT_LINE, code.parameter(AHEAD_AT));
    code.move(ROW_OF_B, code.parameter(B_STRIDE));
    code.address(ROWS_OF_B, new Memory(ROW_OF_B, ROW_OF_B, 2, 0));
    if (masks) {
      code.mask(code.parameter(LAST_LANES));
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
  private int across() {
    return into == Into.TILES ? 4 * TILE : 4 * TILE_COLUMNS;
  }

  /** Bytes of a panel's sums. */
  private int ofSums() {
    return checks ? 4 * LANES * Digest.SUMS : 0;
  }

  /**
   * The tiles of a strip with panels that lie as many panels apart as there are rounds; then with
   * those behind them, so that every stream goes on where it was.
   */
  private void rounds() {
    code.move(ROUNDS, code.parameter(STRIPS)); // there is one strip
    timesRounds(slot(Slot.FROM_STEP), 4 * TILE);
    timesRounds(slot(Slot.TO_STEP), across());
    timesRounds(slot(Slot.SUMS_STEP), ofSums());
    timesRounds(slot(Slot.MINUS_ROUNDS), -1);
    code.move(LEFT, STRIDE);
    code.multiply(LEFT, ROUNDS);
    code.move(slot(Slot.PANEL_STEP), LEFT);
    code.move(slot(Slot.FIRST_STRIP), STRIP);
    code.move(slot(Slot.ALL_STEPS), DEPTH);
    code.countDown(
        ROUNDS,
        () -> {
          code.move(slot(Slot.FIRST_PANEL), PANEL);
          code.move(slot(Slot.FIRST_FROM), FROM);
          eachPanel(() -> {
            openTile();
            eachKept((vector, place) -> code.store(place, vector));
            code.add(FROM, slot(Slot.FROM_STEP));
          });
          code.move(PANEL, slot(Slot.FIRST_PANEL));
          code.move(slot(Slot.FIRST_TO), TO);
          code.move(slot(Slot.FIRST_SUMS), SUMS);
          jump();
          code.move(LEFT, slot(Slot.ALL_STEPS));
          code.inTurns(LEFT, STEPS_ABREAST, this::proceed);
          code.move(STRIP, slot(Slot.FIRST_STRIP));
          code.move(PANEL, slot(Slot.FIRST_PANEL));
          code.move(TO, slot(Slot.FIRST_TO));
          code.move(SUMS, slot(Slot.FIRST_SUMS));
          eachPanel(() -> {
            eachKept(code::load);
            close();
            code.add(TO, slot(Slot.TO_STEP));
            code.add(SUMS, slot(Slot.SUMS_STEP));
          });
          code.move(PANEL, slot(Slot.FIRST_PANEL));
          code.add(PANEL, STRIDE);
          code.move(FROM, slot(Slot.FIRST_FROM));
          code.add(FROM, 4 * TILE);
          code.move(TO, slot(Slot.FIRST_TO));
          code.add(TO, across());
          code.move(SUMS, slot(Slot.FIRST_SUMS));
          code.add(SUMS, ofSums());
          code.subtract(COUNT, 1);
        });
  }

  private Memory slot(Slot slot) {
    return code.parameter(slot.parameter);
  }

  private void timesRounds(Memory product, int factor) {
    code.set(LEFT, factor);
    code.multiply(LEFT, ROUNDS);
    code.move(product, LEFT);
  }

  /**
   * What a stream goes on with is the panel behind, of the next round; in the last one what its
   * first panel has in the next call.
   */
  private void jump() {
    var isKnown = new Label();
    code.move(LEFT, slot(Slot.ALL_STEPS));
    code.set(FAR_AHEAD, -4 * TILE_COLUMNS);
    code.multiply(FAR_AHEAD, LEFT);
    code.add(FAR_AHEAD, STRIDE);
    code.subtract(ROUNDS, 1);
    code.jump(When.NOT_ZERO, isKnown);
    code.move(LEFT, slot(Slot.MINUS_ROUNDS));
    code.multiply(LEFT, STRIDE);
    code.add(FAR_AHEAD, LEFT);
    code.add(FAR_AHEAD, slot(Slot.NEXT));
    code.bind(isKnown);
    code.add(ROUNDS, 1);
    code.move(slot(Slot.JUMP), FAR_AHEAD);
  }

  /** So many steps along k with every panel of a round. */
  private void proceed(int count) {
    code.move(AT_HAND, PANEL);
    if (readsAhead(count)) {
      var inPanel = new Label();
      code.set(FAR_AHEAD, 4 * TILE_COLUMNS * STEPS_AHEAD_ABREAST);
      code.subtract(LEFT, STEPS_AHEAD_ABREAST - count + 1);
      code.jump(When.NOT_LESS, inPanel);
      code.add(FAR_AHEAD, slot(Slot.JUMP));
      code.bind(inPanel);
      code.add(LEFT, STEPS_AHEAD_ABREAST - count + 1);
    }
    eachPanel(() -> {
      eachKept(code::load);
      openRows();
      if (count < STEPS) {
        steps(count);
      } else {
        code.set(IN_TURN, count / STEPS);
        code.countDown(IN_TURN, () -> steps(STEPS));
      }
      eachKept((vector, place) -> code.store(place, vector));
    });
    code.move(PANEL, AT_HAND);
    code.add(STRIP, 4 * count);
    code.add(PANEL, 4 * TILE_COLUMNS * count);
  }

  /** What {@code body} writes, for a panel of a round after the other. */
  private void eachPanel(Runnable body) {
    code.own(KEPT);
    code.move(TO_GO, COUNT);
    var again = new Label();
    code.bind(again);
    body.run();
    code.add(KEPT, kept());
    code.add(PANEL, slot(Slot.PANEL_STEP));
    code.add(TO_GO, slot(Slot.MINUS_ROUNDS));
    code.jump(When.MORE, again);
  }

  /** Bytes on the stack for a panel: accumulators and sums. */
  private int kept() {
    return 4 * LANES * (2 * rows + (checks ? Digest.SUMS : 0));
  }

  /** Calls back with every register that is kept on the stack, and its place there. */
  private void eachKept(Use use) {
    for (int i = 0; i < 2 * rows; i++) {
      use.accept(i, new Memory(KEPT, 4 * LANES * i));
    }
    for (int i = 0; checks && i < Digest.SUMS; i++) {
      use.accept(SUM + i, new Memory(KEPT, 4 * LANES * (2 * rows + i)));
    }
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
    }
    // The next panel's tile: parked tiles come from far away.
    for (int line = 0; continues && line < rows * TILE_COLUMNS; line += LINE) {
      code.prefetch(new Memory(FROM, 4 * (TILE + line)));
    }
    code.move(LEFT, DEPTH);
    code.inTurns(LEFT, STEPS, this::steps);
    close();
  }

  /** The accumulators and sums that a tile begins with. */
  private void openTile() {
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

  /** The first step's rows of A and B. */
  private void openRows() {
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
    int column = 4 * half * LANES;
    return switch (step) {
      case 0 -> new Memory(B, column);
      case 3 -> new Memory(B, ROWS_OF_B, 1, column);
      default -> new Memory(B, ROW_OF_B, step, column);
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
  }

  private void steps(int count) {
    for (int step = 0; step < count; step++) {
      for (int half = 0; half < vectors; half++) {
        load(B0 + half, ofB(step, half), half);
      }
      if (direct && step == 0 && count > 1) {
        code.prefetch(new Memory(NEXT_LINE, 0));
        code.add(NEXT_LINE, code.parameter(AHEAD_STEP_BYTES));
      }
      if (step * AHEAD_STEP % 64 == 0 && asks(count)) {
        code.prefetch(new Memory(SOON, step * AHEAD_STEP));
      }
      for (int half = 0; readsAhead(count) && half < vectors; half++) {
        if ((step * TILE_COLUMNS + half * LANES) % LINE == 0) {
          code.prefetch(
              abreast
                  ? new Memory(B, FAR_AHEAD, 1, 4 * (step * TILE_COLUMNS + half * LANES))
                  : ofB(step + stepsAhead(), half));
        }
      }
      for (int row = 0; row < rows; row++) {
        int x = X[(step * rows + row) % X.length];
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

  /** Loads a vector of a panel's row. */
  private void load(int vector, Memory from, int half) {
    if (isMasked(half)) {
      code.loadMasked(vector, from);
    } else {
      code.load(vector, from);
    }
  }

  private boolean isMasked(int half) {
    return masks && half == vectors - 1;
  }

  /** Whether steps ask for rows of B that are about to be read, wherever the panel is. */
  private boolean readsAhead(int count) {
    return count > 1 && !direct && VectorShapes.hasThirtyTwoRegisters();
  }

  private int stepsAhead() {
    return rows <= LOW ? STEPS_AHEAD_OF_LOW : STEPS_AHEAD;
  }

  /** Whether steps ask for what will be read soon. */
  private boolean asks(int count) {
    return count > 1 && !abreast && !direct;
  }

  private void close() {
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
        code.add(B, slot(Slot.ROW_OF_C));
      }
    }
    code.store(new Memory(digestAt, 0), digest);
    for (int i = 0; checks && i < Digest.SUMS; i++) {
      code.store(new Memory(SUMS, 4 * LANES * i), SUM + i);
    }
  }

  private void store(int accumulator, Memory to, int half, int digest) {
    if (isMasked(half)) {
      code.zeroUnmasked(accumulator); // not a number, where one of A met a zero
      code.storeMasked(to, accumulator);
    } else {
      code.store(to, accumulator);
    }
    code.vector(VPADDQ, digest, digest, accumulator);
  }

  private static Memory inTile(Gpr base, int row, int half) {
    return new Memory(base, 4 * (row * TILE_COLUMNS + half * LANES));
  }
}
