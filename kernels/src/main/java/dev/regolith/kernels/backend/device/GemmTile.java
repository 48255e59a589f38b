package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How a kernel is cut to a device; for products, what is measured when it is first used.
 *
 * @param rows of C in a work-item's tile; divides {@link CheckBlock#ROWS}
 * @param vectors in a row of it
 * @param width floats in a vector
 * @param down work-items in a work-group, along a column of C
 * @param across the same along a row; what they cover together divides {@link CheckBlock#COLUMNS}
 * @param steps of k that a work-group stages in local memory; 0: each work-item reads for itself
 * @param scanners work-items that sum up a block of an operand together
 */
record GemmTile(int rows, int vectors, int width, int down, int across, int steps, int scanners) {
  private static final int MOST_OF_CPU = 3;
  private static final int MOST_OF_GPU = 4;

  /** Tiles of a CPU's registers and vectors: a work-item each, which reads for itself. */
  static final List<GemmTile> OF_CPU =
      List.of(
          ofCpu(12, 2, 16),
          ofCpu(8, 2, 16),
          ofCpu(12, 1, 16),
          ofCpu(6, 2, 8),
          ofCpu(4, 2, 8),
          ofCpu(12, 1, 8),
          ofCpu(6, 2, 4),
          ofCpu(4, 2, 4),
          ofCpu(8, 1, 4),
          ofCpu(8, 1, 2));

  /** Tiles of groups, by way of local memory. */
  static final List<GemmTile> OF_GPU =
      List.of(
          ofGpu(2, 16, 16, 8),
          ofGpu(2, 16, 16, 16),
          ofGpu(2, 8, 16, 16),
          ofGpu(1, 8, 16, 16),
          ofGpu(1, 4, 16, 16),
          ofGpu(1, 4, 8, 8));

  private static GemmTile ofCpu(int rows, int vectors, int width) {
    return new GemmTile(rows, vectors, width, 1, 1, 0, 1);
  }

  private static GemmTile ofGpu(int vectors, int down, int across, int steps) {
    return new GemmTile(8, vectors, 4, down, across, steps, 32);
  }

  /** Tiles of groups whose scores of a block of keys lie in local memory. */
  static final List<GemmTile> OF_ATTENTION = List.of(ofGpu(2, 4, 16, 0), ofGpu(2, 2, 16, 0));

  /** Work-items in a work-group. */
  int group() {
    return down * across;
  }

  /** Whether a work-item reads panels, whole ones, for itself. */
  boolean readsPanels(int panelColumns) {
    return steps == 0 && group() == 1 && groupColumns() == panelColumns;
  }

  /** Whether work-groups follow each other along a row of C, rather than down a panel of B. */
  boolean alongRows() {
    return steps > 0;
  }

  /** Rows of C that a work-group computes. */
  int groupRows() {
    return down * rows;
  }

  /** Columns of C that a work-group computes. */
  int groupColumns() {
    return across * vectors * width;
  }

  /** Bytes that a work-group shares: two slabs of either operand, and its sums. */
  private long localMemory(int panelColumns) {
    long slabs = 2L * Float.BYTES * steps * (groupRows() + 4 + groupColumns() + panelColumns);
    return slabs + 8L * Seal.SUMS * Math.max(group(), scanners);
  }

  /** As the compiler is told. */
  String options(int panelColumns, int depth) {
    return String.format(
        Locale.ROOT,
        "-DPANEL=%d -DROWS=%d -DVECTORS=%d -DWIDTH=%d -DDOWN=%d -DACROSS=%d -DSTEPS=%d"
            + " -DSCANNERS=%d -DBLOCK_ROWS=%d -DBLOCK_COLUMNS=%d -DDEPTH=%d",
        panelColumns,
        rows,
        vectors,
        width,
        down,
        across,
        steps,
        scanners,
        CheckBlock.ROWS,
        CheckBlock.COLUMNS,
        depth);
  }

  /** In one word, for people and for the cache. */
  @Override
  public String toString() {
    String item = "%dx%dx%d".formatted(rows, vectors, width);
    return steps == 0 ? item : "%s, %dx%dx%d".formatted(item, down, across, steps);
  }

  /** What {@link #toString} wrote, if it is one of several. */
  static GemmTile named(String word, List<GemmTile> candidates) {
    return candidates.stream()
        .filter(tile -> tile.toString().equals(word))
        .findFirst()
        .orElse(candidates.getFirst());
  }

  /**
   * Tiles worth trying on a device, the likeliest first. Few, since each is compiled to be
   * measured.
   */
  static List<GemmTile> candidates(DeviceInfo device, int panelColumns) {
    boolean cpu = device.kind() == DeviceInfo.Kind.CPU;
    int widest = cpu ? Math.max(2, device.vectorWidth()) : Integer.MAX_VALUE;
    return (cpu ? OF_CPU : OF_GPU)
        .stream()
            .filter(tile -> tile.width <= widest && tile.group() <= device.workGroup())
            .filter(tile -> tile.fits(panelColumns))
            .filter(tile -> tile.localMemory(panelColumns) <= device.localMemory())
            .limit(cpu ? MOST_OF_CPU : MOST_OF_GPU)
            .toList();
  }

  /**
   * The tile of attention: that of products where a work-item is a group of its own, else the first
   * that a device has room for.
   */
  static Optional<GemmTile> ofAttention(DeviceInfo device, GemmTile ofProducts, int panelColumns) {
    if (ofProducts.group() == 1) {
      return Optional.of(ofProducts);
    }
    return OF_ATTENTION.stream()
        .filter(tile -> tile.group() <= device.workGroup() && panelColumns % tile.width == 0)
        .filter(tile -> tile.localMemoryOfAttention() <= device.localMemory())
        .findFirst();
  }

  /**
   * Bytes that a work-group shares: of a row its scores, lanes, four floats, what it sees, and its
   * checks; signs.
   */
  private long localMemoryOfAttention() {
    int sharers = Math.max(1, group() / groupRows());
    int ofChecks = 2 * across + 5 * sharers + 11 * (1 + sharers);
    int perRow = AttentionProblem.BLOCK + 4 + AttentionProblem.SUM_LANES + 4 + 4 + ofChecks;
    return (long) Float.BYTES * (groupRows() * perRow + AttentionProblem.BLOCK);
  }

  /** Whether panels are whole tiles wide, or a work-group's tile whole panels. */
  boolean fits(int panelColumns) {
    return steps == 0
        ? panelColumns % groupColumns() == 0
        : groupColumns() % panelColumns == 0 && panelColumns % width == 0;
  }
}
