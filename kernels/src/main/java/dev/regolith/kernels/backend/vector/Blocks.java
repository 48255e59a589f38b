package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Blocks of words that are read one after the other, each with a seal: a check block's rows below
 * those of the last, or panels side by side. Reused.
 */
final class Blocks {
  /** Words that rows are rounded up to; see {@link CheckBlock#pitch}. */
  static final int UNIT = CheckBlock.pitch(1);

  private static final int MOST = Math.max(Region.MAX_ROWS, PackedB.DEPTH) / CheckBlock.ROWS + 1;

  MemorySegment memory = MemorySegment.NULL;

  /** Where the first block starts, in bytes. */
  long offset;

  /** From a row to the next, in bytes. */
  long stride;

  /** Of all blocks. */
  int rows;

  /** Rows of a block; the last may have fewer. */
  int height;

  /** Words of a row. */
  int columns;

  /** From a block to the next, in bytes. */
  long apart;

  /** Whether a block's columns are other ones than the last one's, and not its rows. */
  boolean across;

  private MemorySegment staged = MemorySegment.NULL;

  /** What {@link SealLanes} makes seals of. */
  final long[] lanes = new long[MOST * SealLanes.LANE_SUMS];

  /**
   * Rows of check blocks below each other: where they lie if they are read so, else as a copy with
   * zeros behind.
   *
   * @param raw of no meaning afterwards
   */
  Blocks below(MemorySegment source, long from, long fromRow, int count, int width, long[] raw) {
    rows = count;
    height = CheckBlock.ROWS;
    columns = width;
    across = false;
    if (MachineColumnSums.masks() || width == width()) {
      memory = source;
      offset = from;
      stride = fromRow;
    } else {
      memory = staged(count);
      offset = 0;
      stride = BlockPass.STAGED_STRIDE;
      BlockPass.stage(source, from, fromRow, count, width, memory, raw);
    }
    apart = CheckBlock.ROWS * stride;
    return this;
  }

  private MemorySegment staged(int count) {
    long bytes = count * BlockPass.STAGED_STRIDE;
    if (staged.byteSize() < bytes) {
      staged = Arena.ofAuto().allocate(bytes, 64);
    }
    return staged;
  }

  /** Packed panels. */
  Blocks panels(PanelPlace place, int depth, int count) {
    memory = place.memory();
    offset = place.offset(0);
    stride = 4L * VectorShapes.TILE_COLUMNS;
    rows = count * depth;
    height = depth;
    columns = VectorShapes.TILE_COLUMNS;
    apart = place.stride();
    across = true;
    return this;
  }

  int count() {
    return height == 0 ? 0 : Math.ceilDiv(rows, height);
  }

  private int rowsOf(int block) {
    return Math.min(height, rows - block * height);
  }

  /** Words of a row, and zeros behind. */
  int width() {
    return across ? columns : CheckBlock.pitch(columns);
  }

  /** Refuses blocks that do not lie within their memory; rows as they are, or full vectors. */
  void check(boolean masked) {
    long row = 4L * (masked ? columns : width());
    if (across) {
      Bounds.check(offset, apart, count(), (height - 1) * stride + row, memory.byteSize());
    } else {
      Bounds.check(offset, stride, rows, row, memory.byteSize());
    }
  }

  /** The seal of a block that was scanned. */
  void seal(int block, long[] sums, int at) {
    int vectors = rowsOf(block) * width() / LANES;
    SealLanes.finishSums(lanes, block * SealLanes.LANE_SUMS, vectors, sums, at);
  }

  /** Lets go of memory that somebody else keeps. */
  void forget() {
    memory = MemorySegment.NULL;
  }
}
