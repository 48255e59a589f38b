package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.VectorOp;

/**
 * Constants that lie behind each other, a vector each: the first of them stay in registers, as many
 * as are free.
 *
 * @param base register that says where they lie
 * @param register the first that is free, as are all behind it
 * @param most number of constants that registers may keep
 */
record MachineConstants(Gpr base, int register, int most) {
  private int kept() {
    return Math.min(most, VectorShapes.REGISTERS - register);
  }

  /** Brings what stays in registers there. */
  void load(Assembler code) {
    for (int i = 0; i < kept(); i++) {
      code.load(register + i, memory(i));
    }
  }

  /** {@code to = op(first, constant)}. */
  void vector(Assembler code, VectorOp op, int to, int first, int constant) {
    if (constant < kept()) {
      code.vector(op, to, first, register + constant);
    } else {
      code.vector(op, to, first, memory(constant));
    }
  }

  /** The lanes of a vector that are in a relation to a constant become a mask. */
  void compareToMask(Assembler code, int mask, int first, int constant, int relation) {
    if (constant < kept()) {
      code.compareToMask(mask, first, register + constant, relation);
    } else {
      code.compareToMask(mask, first, memory(constant), relation);
    }
  }

  /** Where a constant lies. */
  Memory memory(int constant) {
    return new Memory(base, constant * Float.BYTES * LANES);
  }
}
