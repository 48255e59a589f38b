package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.machine.VectorOp.VPADDQ;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;

/**
 * The running sums of {@link SealLanes} in machine code: chains over whole lanes in registers 0 to
 * 2, over their upper halves in 3 to 5, extended by what is in {@link #X}.
 */
final class MachineChains {
  /** Bytes of a vector. */
  static final int VECTOR = 4 * LANES;

  /** The register of the first running sum of whole lanes, which a digest is. */
  static final int LOWER = 0;

  private static final int UPPER = 3;
  private static final int CHAIN = 3;

  private static final int HALVED = 14;

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

  /** Stores them. */
  static void store(Assembler code, Gpr raw) {
    for (int i = 0; i < 2 * CHAIN; i++) {
      code.store(new Memory(raw, i * VECTOR), i);
    }
  }
}
