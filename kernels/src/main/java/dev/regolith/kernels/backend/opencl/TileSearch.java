package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * Finds the tile that a device multiplies fastest with: each candidate computes one product a few
 * times, and the best time counts. Done once per device, driver and panel width, and kept on disk.
 */
final class TileSearch {
  private static final int ROWS = Region.MAX_ROWS;
  private static final int DEPTH = 512;
  private static final int COLUMNS = 4 * CheckBlock.COLUMNS;
  private static final int ROUNDS = 4;

  private TileSearch() {}

  /** The program with the best tile. */
  static GemmProgram run(ClContext context, int panelColumns) {
    List<GemmTile> candidates = GemmTile.candidates(context.device(), panelColumns);
    String question = GemmProgram.source() + panelColumns + candidates;
    String choice = context.choice(question, () -> measure(context, panelColumns, candidates));
    return new GemmProgram(context, GemmTile.named(choice, candidates), panelColumns);
  }

  private static String measure(ClContext context, int panelColumns, List<GemmTile> candidates) {
    GemmTile best = candidates.getFirst();
    long least = Long.MAX_VALUE;
    try (var arena = Arena.ofShared()) {
      var problem = problem(arena, panelColumns);
      for (GemmTile tile : candidates) {
        try (var program = new GemmProgram(context, tile, panelColumns)) {
          long time = time(context, program, problem);
          if (time < least) {
            least = time;
            best = tile;
          }
        } catch (ClException e) {
          // A tile can ask for more than a device has; another one will not.
          System.getLogger("dev.regolith.kernels")
              .log(System.Logger.Level.DEBUG, "the device refuses tile " + tile, e);
        }
      }
    }
    return best.toString();
  }

  private static GemmProblem problem(Arena arena, int panelColumns) {
    var p = new GemmProblem();
    p.batch = 1;
    p.rows = ROWS;
    p.columns = COLUMNS;
    p.depth = DEPTH;
    p.alpha = 1;
    p.a = arena.allocate(4L * ROWS * DEPTH, 64);
    p.aStride = 4L * DEPTH;
    p.b = new PackedB(panelColumns);
    p.b.allocate(arena, DEPTH, COLUMNS);
    p.c = arena.allocate(4L * ROWS * COLUMNS, 64);
    p.cStride = 4L * COLUMNS;
    return p;
  }

  private static long time(ClContext context, GemmProgram program, GemmProblem p) {
    var region = new Region().set(0, 0, ROWS, 0, (int) p.b.blocks());
    long least = Long.MAX_VALUE;
    try (var gemm = new DeviceGemm(context, program);
        var panels = new DevicePanels(p.b, context)) {
      ClObject buffer = panels.open(p.b, gemm.queue(), false);
      for (int round = 0; round < ROUNDS; round++) {
        long start = System.nanoTime();
        gemm.run(p, region, buffer, round);
        least = Math.min(least, System.nanoTime() - start);
      }
    }
    return least;
  }
}
