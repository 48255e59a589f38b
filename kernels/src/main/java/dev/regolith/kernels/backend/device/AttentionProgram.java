package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import java.util.Locale;
import java.util.Optional;

/**
 * The compiled kernels of attention, cut to a device: a CPU's tile is that of its products, a GPU's
 * the largest whose scores fit into local memory.
 *
 * @param tiles of values, side by side, that a work-item keeps
 */
record AttentionProgram(KernelProgram kernels, int tiles) implements Parts.Part {
  /** Compiles them, if the device has room for a work-group. */
  static Optional<AttentionProgram> compile(
      DeviceContext context, GemmTile ofProducts, int panelColumns) {
    return GemmTile.ofAttention(context.device(), ofProducts, panelColumns)
        .map(tile -> compile(context, tile, panelColumns, tilesOf(tile)));
  }

  /** The same with a tile, and tiles of values side by side. */
  static AttentionProgram compile(
      DeviceContext context, GemmTile tile, int panelColumns, int tiles) {
    String options =
        String.format(
            Locale.ROOT,
            " -DKEYS=%d -DSPAN=%d -DLANES=%d -DTILES=%d -DCHUNK=%d",
            AttentionProblem.BLOCK,
            AttentionProblem.SPAN,
            AttentionProblem.SUM_LANES,
            tiles,
            RegionWords.CHUNK);
    return new AttentionProgram(
        new KernelProgram(context, KernelProgram.ATTENTION, tile, panelColumns, options), tiles);
  }

  /** What a CPU keeps is in memory anyway; a GPU's work-items have registers for one tile. */
  private static int tilesOf(GemmTile tile) {
    return tile.group() == 1 ? AttentionProblem.MAX_COLUMNS / tile.groupColumns() : 1;
  }

  @Override
  public void close() {
    kernels.close();
  }
}
