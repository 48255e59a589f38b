package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;

/**
 * Addresses of up to eight rows that lie a stride apart: without three registers for its multiples,
 * they would need one each.
 *
 * @param first where the first row is
 * @param stride from a row to the next
 * @param times3 three times the stride, see {@link #open}
 * @param times5 five times
 * @param times7 seven times
 */
record EightRows(Gpr first, Gpr stride, Gpr times3, Gpr times5, Gpr times7) {
  /** Works the multiples of the stride out. */
  void open(Assembler code) {
    code.address(times3, new Memory(stride, stride, 2, 0));
    code.address(times5, new Memory(stride, stride, 4, 0));
    code.address(times7, new Memory(times3, stride, 4, 0));
  }

  /** Somewhere in a row. */
  Memory row(int row, int bytes) {
    return switch (row) {
      case 0 -> new Memory(first, bytes);
      case 1, 2, 4 -> new Memory(first, stride, row, bytes);
      case 3, 6 -> new Memory(first, times3, row / 3, bytes);
      case 5 -> new Memory(first, times5, 1, bytes);
      case 7 -> new Memory(first, times7, 1, bytes);
      default -> throw new IllegalArgumentException("row " + row + " of eight");
    };
  }
}
