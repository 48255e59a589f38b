package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.checksum.CheckBlock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Rows of one check block as full vectors: where they lie, if its columns fill them, else as a copy
 * with zeros behind.
 */
final class BlockView {
  /** Room for copies. */
  final MemorySegment staged =
      Arena.ofAuto().allocate(CheckBlock.ROWS * BlockPass.STAGED_STRIDE, 64);

  /** Where the rows are to be read. */
  MemorySegment memory = MemorySegment.NULL;

  /** Where the first starts, in bytes. */
  long offset;

  /** From a row to the next, in bytes. */
  long stride;

  /** Words of a row, zeros included. */
  int width;

  /**
   * Looks at some rows.
   *
   * @param raw of no meaning afterwards
   */
  void open(MemorySegment source, long from, long apart, int rows, int columns, long[] raw) {
    width = CheckBlock.pitch(columns);
    if (columns < width) {
      BlockPass.stage(source, from, apart, rows, columns, staged, raw);
      memory = staged;
      offset = 0;
      stride = BlockPass.STAGED_STRIDE;
    } else {
      memory = source;
      offset = from;
      stride = apart;
    }
  }

  /** Lets go of memory that somebody else keeps. */
  void forget() {
    memory = MemorySegment.NULL;
  }
}
