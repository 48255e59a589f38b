package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R13;
import static dev.regolith.kernels.machine.Gpr.R14;
import static dev.regolith.kernels.machine.Gpr.R15;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RBP;

import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import dev.regolith.kernels.machine.Gpr;

/**
 * Writes the micro-kernels that read a few panels abreast, some steps of each in turn, with the
 * accumulators on the stack meanwhile: several streams of memory come faster than one (measured,
 * docs/decisions.md). Kernels of few rows wait for memory, and so does every kernel that is the
 * first to read panels from there.
 */
final class AbreastKernelWriter extends MachineKernelWriter {
  /** Most rows of which every kernel reads panels abreast. */
  static final int ROWS = 3;

  /** Most panels that it reads abreast. */
  static final int PANELS = 4;

  /**
   * How panels are read.
   *
   * @param stepsInTurn steps along k with a panel before the next is read. They are turns of a
   *     loop: written out, kernels read 5 to 9 % slower from memory, and what they ask of the next
   *     panels slows them down (measured; the processor's prefetchers seem to follow instructions,
   *     and where each is one of a kind find nothing to follow).
   * @param stepsAhead how many steps ahead rows of B are asked for; if they are fewer than those of
   *     a turn, turns ask for what lies behind a panel, and only a rest of {@link #STEPS} for what
   *     its stream goes on with
   */
  private record Reading(int stepsInTurn, int stepsAhead) {}

  private static final Reading USUAL = new Reading(2 * STEPS, 16);

  // On AMD what is asked for waits in L2, beside what the processor's prefetchers ask for.
  private static final Reading LOW_OF_AMD =
      new Reading(2 * STEPS, VectorShapes.THIRTY_TWO_REGISTERS ? 8 : 4);
  private static final Reading LOW_AND_SHORT_OF_AMD = new Reading(STEPS, 16);
  private static final Reading HIGH_OF_AMD = new Reading(4 * STEPS, 32);

  /** Rows of kernels that wait for memory longer than for multiply-adds. */
  private static final int LOW = 4;

  /** Steps of a panel that ends before the processor's prefetchers are well ahead of it. */
  private static final int SHORT = 256;

  // Rounds to go, and panels from the one at hand on; where its accumulators are on the stack.
  private static final Gpr ROUNDS = R13;
  private static final Gpr TO_GO = R9;
  private static final Gpr KEPT = R10;

  // While it goes along k, when FROM, TO and SUMS are in slots: the first panel at hand, how far
  // behind a row of B is what it asks for, and what is left of a turn.
  private static final Gpr AT_HAND = R15;
  private static final Gpr FAR_AHEAD = R14;
  private static final Gpr IN_TURN = RBP;

  /** What is done with a register and its place in memory. */
  private interface Use {
    void accept(int vector, Memory place);
  }

  /**
   * What there is no register for: where a parameter was that has been read. {@link #ROW_OF_C} and
   * {@link #AHEAD_BY} stay what they are.
   */
  private enum Slot {
    FIRST_STRIP(0),
    ALL_STEPS(1),
    FIRST_PANEL(2),
    FIRST_FROM(3),
    FIRST_TO(4),
    FIRST_SUMS(5),
    MINUS_ROUNDS(7),
    PANEL_STEP(8),
    FROM_STEP(9),
    TO_STEP(10),
    SUMS_STEP(11),
    /** From a panel's end to what its stream goes on with. */
    JUMP(13);

    private final int parameter;

    Slot(int parameter) {
      this.parameter = parameter;
    }
  }

  private final Reading usual;
  private final Reading ofShort;
  private Reading reading;

  AbreastKernelWriter(int rows, boolean continues, boolean checks, Into into) {
    super(rows, continues, checks, into, false, DirectKernel.Width.FULL);
    boolean low = VectorShapes.IS_AMD && rows <= LOW;
    Reading ofMore = VectorShapes.IS_AMD ? HIGH_OF_AMD : USUAL;
    usual = low ? LOW_OF_AMD : ofMore;
    ofShort = low && VectorShapes.THIRTY_TWO_REGISTERS ? LOW_AND_SHORT_OF_AMD : usual;
    reading = usual;
  }

  /**
   * Whether a kernel reads panels abreast.
   *
   * @param far see {@link MicroKernels#of}
   */
  static boolean serves(int rows, boolean far) {
    return VectorShapes.MACHINE_CODE && rows <= (far ? TILE_ROWS : ROWS);
  }

  @Override
  int ownBytes() {
    return PANELS * kept();
  }

  /**
   * The tiles of a strip with panels that lie as many panels apart as there are rounds; then with
   * those behind them, so that every stream goes on where it was.
   */
  @Override
  void panels() {
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
          if (readsAhead(reading.stepsInTurn)) {
            jump();
          }
          code.move(LEFT, slot(Slot.ALL_STEPS));
          allSteps();
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

  /** Steps of a round's panels, as many as {@link #LEFT} says. */
  private void allSteps() {
    if (usual.equals(ofShort)) {
      allSteps(usual);
      return;
    }
    var areMany = new Label();
    var done = new Label();
    code.subtract(LEFT, SHORT);
    code.jump(When.NOT_LESS, areMany);
    code.add(LEFT, SHORT);
    allSteps(ofShort);
    code.jump(done);
    code.bind(areMany);
    code.add(LEFT, SHORT);
    allSteps(usual);
    code.bind(done);
  }

  private void allSteps(Reading chosen) {
    reading = chosen;
    code.inTurns(LEFT, chosen.stepsInTurn, STEPS, this::proceed);
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
   * first panel has in the next call. Nobody sees from results what was asked for: benchmarks do.
   */
  private void jump() {
    var isNotLast = new Label();
    code.move(LEFT, slot(Slot.ALL_STEPS));
    code.set(FAR_AHEAD, -4 * TILE_COLUMNS);
    code.multiply(FAR_AHEAD, LEFT);
    code.add(FAR_AHEAD, STRIDE);
    code.subtract(ROUNDS, 1);
    code.jump(When.NOT_ZERO, isNotLast);
    code.move(LEFT, slot(Slot.MINUS_ROUNDS));
    code.multiply(LEFT, STRIDE);
    code.add(FAR_AHEAD, LEFT);
    code.add(FAR_AHEAD, code.parameter(AHEAD_BY));
    code.bind(isNotLast);
    code.add(ROUNDS, 1);
    code.move(slot(Slot.JUMP), FAR_AHEAD);
  }

  /** So many steps along k with every panel of a round: a turn, or one step of what is left. */
  private void proceed(int count) {
    code.move(AT_HAND, PANEL);
    if (readsAhead(count)) {
      // In the panel as long as it has as many steps more; LEFT is what it has after this turn.
      int least = reading.stepsAhead - count + 1;
      code.set(FAR_AHEAD, 4 * TILE_COLUMNS * reading.stepsAhead);
      if (least > 0) {
        var inPanel = new Label();
        code.subtract(LEFT, least);
        code.jump(When.NOT_LESS, inPanel);
        code.add(FAR_AHEAD, slot(Slot.JUMP));
        code.bind(inPanel);
        code.add(LEFT, least);
      }
    }
    eachPanel(() -> {
      eachKept(code::load);
      openRows();
      if (count == 1) {
        steps(1);
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
   * With 16 registers, a vector has half a line: a kernel of few rows that does nothing else has no
   * time to ask, and loses by it (measured, docs/decisions.md).
   */
  @Override
  boolean readsAhead(int count) {
    return count > 1 && (VectorShapes.THIRTY_TWO_REGISTERS || rows > ROWS || checks);
  }

  @Override
  void askAhead(int step, int half) {
    var place = new Memory(B, FAR_AHEAD, 1, 4 * (step * TILE_COLUMNS + half * LANES));
    VectorShapes.ask(code, place);
  }

  /** None but those of {@link #askAhead}. */
  @Override
  boolean asks(int count) {
    return false;
  }
}
