package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import dev.regolith.kernels.checksum.CheckBlock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Rows of one check block as full vectors: where they lie, if its columns fill them, else as a copy
 * with zeros behind.
 */
final class BlockView {
  private final MemorySegment staged =
      Arena.ofAuto().allocate(CheckBlock.ROWS * BlockPass.STAGED_STRIDE, 64);

  /** Where the rows are to be read. */
  MemorySegment memory = MemorySegment.NULL;

  /** Where the first starts, in bytes. */
  long offset;

  /** From a row to the next, in bytes. */
  long stride;

  /** How many there are. */
  int rows;

  /** Words of a row, zeros included. */
  int width;

  /**
   * Looks at some rows.
   *
   * @param raw of no meaning afterwards
   */
  void open(MemorySegment source, long from, long apart, int count, int columns, long[] raw) {
    rows = count;
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

  /** Reads them for their running sums. */
  void scan(long[] raw) {
    BlockPass.scan(memory, offset, stride, rows, width, raw);
  }

  /** Makes of running sums of these rows what a seal of them has. */
  void finish(long[] raw, long[] sums, int at) {
    SealLanes.finish(raw, rows * width / LANES, sums, at);
  }

  /** Lets go of memory that somebody else keeps. */
  void forget() {
    memory = MemorySegment.NULL;
  }
}
