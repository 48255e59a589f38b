package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;
import static dev.regolith.kernels.machine.VectorOp.VPSUBQ;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import java.util.List;

/**
 * The running sums of {@link SealLanes} in machine code: chains over whole lanes in registers 0 to
 * 2, over their upper halves in 3 to 5, extended by what is in {@link #X}.
 */
final class MachineChains {
  /** Bytes of a vector. */
  static final int VECTOR = 4 * LANES;

  /**
   * How far ahead words are asked for, in bytes. A block is too short for the processor to foresee
   * the next, and what is scanned has often gone to a far cache. It helps where rows follow each
   * other, and where what is behind a row belongs to blocks that are scanned soon (measured,
   * docs/decisions.md).
   */
  static final int AHEAD = 4096;

  /** The register of the first running sum of whole lanes, which a digest is. */
  static final int LOWER = 0;

  private static final int UPPER = 3;
  private static final int CHAIN = 3;

  private static final int HALVED = 14;

  /** Bytes that {@link #addLanesUp} needs on the stack: vectors that are added up lane by lane. */
  static final int ON_STACK = 3 * VECTOR;

  /** The register of words to be summed up. */
  static final int X = 15;

  private MachineChains() {}

  /** Starts at zero. */
  static void start(Assembler code) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.zero(i);
    }
  }

  /** Continues what was stored. */
  static void load(Assembler code, Gpr raw) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.load(i, new Memory(raw, i * VECTOR));
    }
  }

  /** Takes in X. */
  static void extend(Assembler code) {
    code.shiftRight(HALVED, X, 32);
    for (int i = 0; i < CHAIN; i++) {
      code.vector(VPADDQ, LOWER + i, LOWER + i, i == 0 ? X : LOWER + i - 1);
      code.vector(VPADDQ, UPPER + i, UPPER + i, i == 0 ? HALVED : UPPER + i - 1);
    }
  }

  /**
   * Stores the sums over lanes that a seal is made of, as {@link SealLanes#finish} makes them.
   *
   * @param target points to them, and behind them afterwards; changes R12, as RAX, RBX, RBP, RSI,
   *     R10, R11, R13 and R15 change, and the registers of words and chains
   */
  static void addLanesUp(Assembler code, Memory target) {
    for (int i = 0; i < CHAIN; i++) {
      code.shiftLeftWide(HALVED, UPPER + i, 32);
      code.vector(VPSUBQ, LOWER + i, LOWER + i, HALVED);
      code.vector(VPADDQ, LOWER + i, LOWER + i, UPPER + i);
    }
    Gpr to = Gpr.R12;
    code.move(to, target);
    Memory words2 = new Memory(to, 8 * SealLanes.WORDS_2);
    Memory placed1 = new Memory(to, 8 * SealLanes.PLACED_1);
    addLanes(code, LOWER + 2, words2);
    addLanes(code, UPPER + 1, placed1); // what is missing there comes on top
    Gpr lanes = Gpr.R13;
    Gpr words0 = Gpr.RAX;
    Gpr weighted0 = Gpr.RSI;
    Gpr square0 = Gpr.R10;
    Gpr words1 = Gpr.R11;
    Gpr weighted1 = Gpr.R15;
    Gpr upper0 = Gpr.RBX;
    Gpr weightedUpper0 = Gpr.RBP;
    code.own(lanes);
    code.store(new Memory(lanes, 0), LOWER);
    code.store(new Memory(lanes, VECTOR), LOWER + 1);
    code.store(new Memory(lanes, 2 * VECTOR), UPPER);
    for (Gpr sum : List.of(words0, weighted0, square0, words1, weighted1, upper0, weightedUpper0)) {
      code.set(sum, 0);
    }
    for (int lane = LANES / 2 - 1; lane >= 0; lane--) {
      code.add(words0, new Memory(lanes, 8 * lane));
      code.add(words1, new Memory(lanes, VECTOR + 8 * lane));
      code.add(upper0, new Memory(lanes, 2 * VECTOR + 8 * lane));
      if (lane > 0) {
        code.add(weighted0, words0);
        code.add(square0, weighted0);
        code.add(weighted1, words1);
        code.add(weightedUpper0, upper0);
      }
    }
    code.move(new Memory(to, 8 * SealLanes.WORDS_0), words0);
    code.move(new Memory(to, 8 * SealLanes.WORDS_1), words1);
    code.address(weighted1, new Memory(words1, weighted1, 2, 0));
    code.add(weighted1, placed1);
    code.move(placed1, weighted1);
    code.address(square0, new Memory(words0, square0, 8, 0));
    code.address(square0, new Memory(square0, weightedUpper0, 4, 0));
    code.address(weighted0, new Memory(words0, weighted0, 2, 0));
    code.add(weighted0, upper0);
    code.move(new Memory(to, 8 * SealLanes.PLACED_0), weighted0);
    code.address(upper0, new Memory(upper0, upper0, 2, 0));
    code.add(square0, upper0);
    code.move(new Memory(to, 8 * SealLanes.SQUARED_0), square0);
    code.add(to, 8 * SealLanes.LANE_SUMS);
    code.move(target, to);
  }

  private static void addLanes(Assembler code, int vector, Memory to) {
    for (int bits = 8 * VECTOR; bits >= 128; bits /= 2) {
      code.upperHalf(bits, HALVED, vector);
      code.vector(VPADDQ, vector, vector, HALVED);
    }
    code.storeDouble(to, vector);
  }

  /** Stores them. */
  static void store(Assembler code, Gpr raw) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.store(new Memory(raw, i * VECTOR), i);
    }
  }
}
