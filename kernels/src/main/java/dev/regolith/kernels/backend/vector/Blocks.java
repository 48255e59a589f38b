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
  /** Rows of check blocks below each other: of A or C, or of B. */
  private static final int MOST_ROWS = Math.max(Region.MAX_ROWS, PackedB.DEPTH);

  private static final int MOST = Math.ceilDiv(MOST_ROWS, CheckBlock.ROWS);

  /** A copy with zeros behind its rows; of no size where rows are read as they are. */
  private final MemorySegment staged =
      MachineColumnSums.masks()
          ? MemorySegment.NULL
          : Arena.ofAuto().allocate(MOST_ROWS * BlockPass.STAGED_STRIDE, 64);

  MemorySegment memory = MemorySegment.NULL;

  /** Where the first block starts, in bytes. */
  long offset;

  /** Of all blocks. */
  int rows;

  /** Rows of a block; the last may have fewer. */
  int height;

  /** Words of a row. */
  int columns;

  /**
   * How many bytes behind a word lies the one that is asked for when it is read for its seal; of a
   * copy, nothing is.
   */
  private long ahead;

  /** Whether a block's columns are other ones than the last one's, and not its rows. */
  boolean across;

  // From a row, or from a panel, to the next, in bytes.
  private long stride;
  private long fromPanel;

  /** What {@link SealLanes} makes seals of, for one block after the other. */
  final long[] sums = new long[MOST * SealLanes.LANE_SUMS];

  /**
   * Rows of check blocks below each other: where they lie, or as a copy with zeros behind.
   *
   * @param raw of no meaning afterwards
   */
  Blocks below(
      MemorySegment source, long from, long fromRow, int newRows, int newColumns, long[] raw) {
    rows = newRows;
    height = CheckBlock.ROWS;
    columns = newColumns;
    across = false;
    if (MachineColumnSums.masks() || columns == width()) {
      memory = source;
      offset = from;
      stride = fromRow;
      ahead = MachineChains.AHEAD;
    } else {
      BlockPass.stage(source, from, fromRow, rows, columns, staged, raw);
      memory = staged;
      offset = 0;
      stride = BlockPass.STAGED_STRIDE;
      ahead = 0;
    }
    return this;
  }

  /** Has something else asked for than what usually comes next. */
  void ask(long bytesBehind) {
    ahead = ahead == 0 ? 0 : bytesBehind;
  }

  /** What is asked for, in bytes behind each word. */
  long ahead() {
    return ahead;
  }

  /** Packed panels. */
  Blocks panels(PanelPlace place, int depth, int count) {
    memory = place.memory();
    offset = place.offset(0);
    stride = 0;
    rows = count * depth;
    height = depth;
    columns = VectorShapes.TILE_COLUMNS;
    across = true;
    ahead = MachineChains.AHEAD;
    fromPanel = place.stride();
    return this;
  }

  /** How many there are. */
  int count() {
    return Math.ceilDiv(rows, height);
  }

  private int rowsOf(int block) {
    return Math.min(height, rows - block * height);
  }

  /** Words of a row, and zeros behind. */
  int width() {
    return across ? columns : CheckBlock.pitch(columns);
  }

  /** From a row to the next, in bytes. */
  long stride() {
    return across ? DirectGemm.Columns.PANEL : stride;
  }

  /** From a block to the next, in bytes. */
  long apart() {
    return across ? fromPanel : height * stride;
  }

  /** Refuses blocks that do not lie within their memory. */
  void check() {
    if (across) {
      Bounds.check(offset, fromPanel, count(), height * stride(), memory.byteSize());
    } else {
      int words = MachineColumnSums.masks() ? columns : width();
      Bounds.check(offset, stride, rows, 4L * words, memory.byteSize());
    }
  }

  /** The seal of a block that was scanned. */
  void seal(int block, long[] seal, int at) {
    int vectors = rowsOf(block) * width() / LANES;
    SealLanes.finishSums(sums, block * SealLanes.LANE_SUMS, vectors, seal, at);
  }

  /** Lets go of memory that somebody else keeps. */
  void forget() {
    memory = MemorySegment.NULL;
  }
}
