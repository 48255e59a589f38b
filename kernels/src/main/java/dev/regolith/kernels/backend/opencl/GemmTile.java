package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.checksum.CheckBlock;
import java.util.List;
import java.util.Locale;

/**
 * How the matrix kernel is cut to a device: what is measured when it is first used.
 *
 * @param rows of C in a work-item's tile; divides {@link CheckBlock#ROWS}
 * @param vectors in a row of it
 * @param width floats in a vector
 * @param columnsFirst whether neighbouring work-items have neighbouring columns
 * @param group work-items in a group
 */
record GemmTile(int rows, int vectors, int width, boolean columnsFirst, int group) {
  private static final int MOST = 3;

  /** Columns of C in a work-item's tile. */
  int columns() {
    return vectors * width;
  }

  /** As the compiler is told. */
  String options(int panelColumns, int depth) {
    return String.format(
        Locale.ROOT,
        "-cl-std=CL1.2 -DPANEL=%d -DROWS=%d -DVECTORS=%d -DWIDTH=%d -DBLOCK_ROWS=%d"
            + " -DBLOCK_COLUMNS=%d -DDEPTH=%d -DCOLUMNS_FIRST=%d -DGROUP=%d",
        panelColumns,
        rows,
        vectors,
        width,
        CheckBlock.ROWS,
        CheckBlock.COLUMNS,
        depth,
        columnsFirst ? 1 : 0,
        group);
  }

  /** In one word, for people and for the cache. */
  @Override
  public String toString() {
    return "%dx%dx%d%s%d".formatted(rows, vectors, width, columnsFirst ? "c" : "r", group);
  }

  /** What {@link #toString} wrote, if it is one of several. */
  static GemmTile named(String word, List<GemmTile> candidates) {
    return candidates.stream()
        .filter(tile -> tile.toString().equals(word))
        .findFirst()
        .orElse(candidates.getFirst());
  }

  /** Register tiles of a CPU's own vectors, one work-item a group. */
  static final List<GemmTile> OF_CPU =
      List.of(
          new GemmTile(12, 2, 16, false, 1),
          new GemmTile(8, 2, 16, false, 1),
          new GemmTile(12, 1, 16, false, 1),
          new GemmTile(6, 2, 8, false, 1),
          new GemmTile(4, 2, 8, false, 1),
          new GemmTile(12, 1, 8, false, 1),
          new GemmTile(6, 2, 4, false, 1),
          new GemmTile(4, 2, 4, false, 1),
          new GemmTile(8, 1, 4, false, 1),
          new GemmTile(8, 1, 2, false, 1));

  /** Small tiles, in groups that read B side by side. */
  static final List<GemmTile> OF_GPU =
      List.of(
          new GemmTile(8, 1, 4, true, 64),
          new GemmTile(12, 1, 4, true, 64),
          new GemmTile(8, 2, 4, true, 64),
          new GemmTile(8, 1, 2, true, 64),
          new GemmTile(8, 1, 4, true, 16),
          new GemmTile(8, 1, 4, true, 1));

  /**
   * Tiles worth trying on a device, the likeliest first. Few, since each is compiled to be
   * measured.
   */
  static List<GemmTile> candidates(ClDevice device, int panelColumns) {
    boolean cpu = device.type() == ClDevice.Type.CPU;
    int widest = cpu ? Math.max(2, device.vectorWidth()) : Integer.MAX_VALUE;
    return (cpu ? OF_CPU : OF_GPU)
        .stream()
            .filter(tile -> tile.width <= widest && tile.group <= device.workGroup())
            .filter(tile -> tile.fits(panelColumns))
            .limit(MOST)
            .toList();
  }

  /** Whether panels are whole tiles wide. */
  boolean fits(int panelColumns) {
    return panelColumns % columns() == 0;
  }
}
