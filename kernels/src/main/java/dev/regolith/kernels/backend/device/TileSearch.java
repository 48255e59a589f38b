package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Finds the tile that a device multiplies fastest with: the candidates compute one product in
 * turns, a few times or as often as a third of a second for each allows, and the best time counts.
 * Done once per device, compiler and panel width, and kept on disk. The bits of the chosen one are
 * looked at in every JVM.
 */
final class TileSearch {
  private static final int ROWS = Region.MAX_ROWS;
  private static final int DEPTH = 1024;
  private static final int COLUMNS = 8 * CheckBlock.COLUMNS;
  private static final int ROUNDS = 12;
  private static final long NANOS = 300_000_000;

  private TileSearch() {}

  /** The program with the best tile. */
  static GemmProgram run(DeviceContext context, int panelColumns) {
    List<GemmTile> candidates = GemmTile.candidates(context.device(), panelColumns);
    if (candidates.isEmpty()) {
      throw new IllegalStateException(
          context.name() + " has too little local memory, or too small work-groups, for any tile");
    }
    String question =
        KernelProgram.source(context.api(), KernelProgram.GEMM) + panelColumns + candidates;
    String choice = context.choice(question, () -> measure(context, panelColumns, candidates));
    var program = new GemmProgram(context, GemmTile.named(choice, candidates), panelColumns);
    try {
      if (!program.hasRightBits()) {
        throw wrongBits(context);
      }
      return program;
    } catch (RuntimeException e) {
      program.close();
      throw e;
    }
  }

  private static IllegalStateException wrongBits(DeviceContext context) {
    return new IllegalStateException(
        "no matrix kernel works on " + context.name() + ": none has the right bits");
  }

  private static String measure(
      DeviceContext context, int panelColumns, List<GemmTile> candidates) {
    var entrants = new ArrayList<Entrant>();
    DeviceException refusal = null;
    try (var sample = SampleProduct.aligned(panelColumns, ROWS, DEPTH, COLUMNS)) {
      for (GemmTile tile : candidates) {
        try {
          entrants.add(new Entrant(context, tile, sample));
        } catch (DeviceException e) {
          refusal = e; // a tile can ask for more than a device has; another one may not
        }
      }
      race(entrants);
      var best =
          entrants.stream()
              .filter(Entrant::isRight)
              .min(Comparator.comparingLong(entrant -> entrant.least));
      if (best.isPresent()) {
        return best.get().tile.toString();
      }
    } finally {
      entrants.forEach(Entrant::close);
    }
    if (refusal != null) {
      throw new IllegalStateException(
          "no matrix kernel works on %s: %s".formatted(context.name(), refusal.getMessage()),
          refusal);
    }
    throw wrongBits(context);
  }

  /** In turns, so that what else the machine does at a time is not one tile's bad luck. */
  private static void race(List<Entrant> entrants) {
    long begin = System.nanoTime();
    for (int round = 1;
        round <= ROUNDS && System.nanoTime() - begin < NANOS * entrants.size();
        round++) {
      for (Entrant each : entrants) {
        each.multiply(round);
      }
    }
  }

  /** A tile, and the shortest time it took. */
  private static final class Entrant implements AutoCloseable {
    private final GemmTile tile;
    private final SampleProduct sample;
    private final Parts parts = new Parts();
    private final DeviceGemm gemm;
    private final PanelBuffer buffer;
    private long least = Long.MAX_VALUE;

    Entrant(DeviceContext context, GemmTile tile, SampleProduct sample) {
      this.tile = tile;
      this.sample = sample;
      var p = sample.problem();
      try {
        var program = parts.add(new GemmProgram(context, tile, p.b.panelColumns()));
        gemm = parts.add(new DeviceGemm(context, program));
        var panels = parts.add(new DevicePanels(p.b, context, PanelForm.OF_HOST));
        buffer = panels.open(p.b, gemm.queue(), false);
        gemm.upload(p, sample.region());
        // Some drivers compile when a kernel is first launched.
        gemm.multiply(p, sample.region(), buffer, 0);
        gemm.queue().finish();
      } catch (RuntimeException e) {
        parts.close();
        throw e;
      }
    }

    void multiply(int launch) {
      long start = System.nanoTime();
      gemm.multiply(sample.problem(), sample.region(), buffer, launch);
      gemm.queue().finish();
      least = Math.min(least, System.nanoTime() - start);
    }

    boolean isRight() {
      sample.problem().c.fill((byte) -1);
      gemm.download(sample.problem(), sample.region());
      return sample.isRight();
    }

    @Override
    public void close() {
      parts.close();
    }
  }
}
