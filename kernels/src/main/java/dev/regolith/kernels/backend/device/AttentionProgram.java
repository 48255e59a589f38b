package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.Backend;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The compiled kernels of attention, cut to a device: a CPU's tile is that of its products, a GPU's
 * the largest whose scores fit into local memory.
 *
 * @param tiles of values, side by side, that a work-item keeps
 * @param panelColumns of the panels that it reads
 */
record AttentionProgram(KernelProgram kernels, int tiles, int panelColumns) implements Parts.Part {
  /**
   * Compiles them, if the device has room for a work-group, and the host's bits.
   *
   * @param announce told why not
   */
  static Optional<AttentionProgram> open(
      DeviceContext context, GemmTile ofProducts, Backend host, Consumer<String> announce) {
    String instead = "the CPU computes attention";
    var tile = GemmTile.ofAttention(context.device(), ofProducts, host.panelColumns());
    if (tile.isEmpty()) {
      announce.accept("it has no room for attention's work-groups; " + instead);
      return Optional.empty();
    }
    return Trial.open(
        () -> compile(context, tile.get(), host.panelColumns(), tilesOf(tile.get())),
        program -> program.kernels().question(),
        program -> program.hasRightBits(context, host),
        "attention has other bits there",
        instead,
        announce);
  }

  private boolean hasRightBits(DeviceContext context, Backend host) {
    try (var sample = new SampleAttention(host)) {
      return sample.isRight(context, this);
    }
  }

  /** Compiles them for a tile, and so many tiles of values. */
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
                RegionWords.CHUNK)
            + AttentionEvidence.options();
    return new AttentionProgram(
        new KernelProgram(context, KernelProgram.ATTENTION, tile, panelColumns, options),
        tiles,
        panelColumns);
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
