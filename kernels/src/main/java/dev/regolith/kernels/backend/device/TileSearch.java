package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import java.util.List;

/**
 * Finds the tile that a device multiplies fastest with: each candidate computes one product a few
 * times, or as often as a third of a second allows, and the best time counts. Done once per device,
 * compiler and panel width, and kept on disk. The bits are looked at whenever a program is opened.
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
    String question = GemmProgram.source(context.api()) + panelColumns + candidates;
    String choice = context.choice(question, () -> measure(context, panelColumns, candidates));
    var program = new GemmProgram(context, GemmTile.named(choice, candidates), panelColumns);
    try {
      check(context, program, panelColumns);
      return program;
    } catch (RuntimeException e) {
      program.close();
      throw e;
    }
  }

  /** Rows, columns and steps that fill no tile; factors; and results that are subnormal. */
  private static void check(DeviceContext context, GemmProgram program, int panelColumns) {
    for (float scale : new float[] {1, 0x1p-130f}) {
      try (var sample = new SampleProduct(panelColumns, 61, 77, 301, scale, -1.5f, 0.25f)) {
        if (!sample.isRight(context, program)) {
          throw wrongBits(context);
        }
      }
    }
  }

  private static IllegalStateException wrongBits(DeviceContext context) {
    return new IllegalStateException(
        "no matrix kernel works on " + context.name() + ": none has the right bits");
  }

  private static String measure(
      DeviceContext context, int panelColumns, List<GemmTile> candidates) {
    GemmTile best = null;
    long least = Long.MAX_VALUE;
    DeviceException refusal = null;
    try (var sample = new SampleProduct(panelColumns, ROWS, DEPTH, COLUMNS, 1, 1, 0)) {
      for (GemmTile tile : candidates) {
        try (var program = new GemmProgram(context, tile, panelColumns)) {
          long time = time(context, program, sample);
          if (sample.isRight() && time < least) {
            least = time;
            best = tile;
          }
        } catch (DeviceException e) {
          refusal = e; // a tile can ask for more than a device has; another one may not
        }
      }
    }
    if (best != null) {
      return best.toString();
    }
    if (refusal != null) {
      throw new IllegalStateException(
          "no matrix kernel works on %s: %s".formatted(context.name(), refusal.getMessage()),
          refusal);
    }
    throw wrongBits(context);
  }

  private static long time(DeviceContext context, GemmProgram program, SampleProduct sample) {
    var p = sample.problem();
    var region = sample.region();
    long least = Long.MAX_VALUE;
    p.c.fill((byte) -1);
    try (var gemm = new DeviceGemm(context, program);
        var panels = new DevicePanels(p.b, context)) {
      DeviceObject buffer = panels.open(p.b, gemm.queue(), false);
      gemm.upload(p, region);
      // Some drivers compile when a kernel is first launched.
      gemm.multiply(p, region, buffer, 0);
      gemm.queue().finish();
      long begin = System.nanoTime();
      for (int round = 1; round <= ROUNDS && System.nanoTime() - begin < NANOS; round++) {
        long start = System.nanoTime();
        gemm.multiply(p, region, buffer, round);
        gemm.queue().finish();
        least = Math.min(least, System.nanoTime() - start);
      }
      gemm.download(p, region);
    }
    return least;
  }
}
