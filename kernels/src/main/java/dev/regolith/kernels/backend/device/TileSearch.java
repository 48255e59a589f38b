package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Finds the tile that a device multiplies fastest with: each candidate computes one product a few
 * times, or as often as a third of a second allows, and the best time counts. Done once per device,
 * driver and panel width, and kept on disk.
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
    String question = GemmProgram.source(context.api()) + panelColumns + candidates;
    String choice = context.choice(question, () -> measure(context, panelColumns, candidates));
    return new GemmProgram(context, GemmTile.named(choice, candidates), panelColumns);
  }

  private static String measure(
      DeviceContext context, int panelColumns, List<GemmTile> candidates) {
    GemmTile best = null;
    long least = Long.MAX_VALUE;
    DeviceException refusal = null;
    try (var arena = Arena.ofShared()) {
      var problem = problem(arena, panelColumns);
      float[] expected = expected(problem);
      for (GemmTile tile : candidates) {
        try (var program = new GemmProgram(context, tile, panelColumns)) {
          long time = time(context, program, problem);
          boolean right = Arrays.equals(expected, problem.c.toArray(ValueLayout.JAVA_FLOAT));
          if (right && time < least) {
            least = time;
            best = tile;
          }
        } catch (DeviceException e) {
          refusal = e; // a tile can ask for more than a device has; another one may not
        }
      }
    }
    if (best == null) {
      throw new IllegalStateException(
          "no matrix kernel works on %s: %s"
              .formatted(
                  context.name(),
                  refusal == null ? "none has the right bits" : refusal.getMessage()));
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
    var random = new SplittableRandom(1);
    fill(p.a, random);
    fill(p.b.panels(), random);
    return p;
  }

  private static void fill(MemorySegment memory, SplittableRandom random) {
    for (long at = 0; at < memory.byteSize(); at += 4) {
      memory.set(ValueLayout.JAVA_FLOAT, at, (float) random.nextDouble(-1, 1));
    }
  }

  /** The canonical chain. */
  private static float[] expected(GemmProblem p) {
    float[] a = p.a.toArray(ValueLayout.JAVA_FLOAT);
    var result = new float[ROWS * COLUMNS];
    var row = new float[COLUMNS];
    for (int k = 0; k < DEPTH; k++) {
      for (int j = 0; j < COLUMNS; j++) {
        row[j] = p.b.get(0, k, j);
      }
      for (int i = 0; i < ROWS; i++) {
        float x = a[i * DEPTH + k];
        for (int j = 0; j < COLUMNS; j++) {
          result[i * COLUMNS + j] = Math.fma(x, row[j], result[i * COLUMNS + j]);
        }
      }
    }
    return result;
  }

  private static long time(DeviceContext context, GemmProgram program, GemmProblem p) {
    var region = new Region().set(0, 0, ROWS, 0, (int) p.b.blocks());
    long least = Long.MAX_VALUE;
    p.c.fill((byte) -1);
    try (var gemm = new DeviceGemm(context, program);
        var panels = new DevicePanels(p.b, context)) {
      DeviceObject buffer = panels.open(p.b, gemm.queue(), false);
      gemm.upload(p, region);
      // Some drivers compile when a kernel is first launched.
      gemm.multiply(p, region, buffer, ROUNDS);
      gemm.queue().finish();
      long begin = System.nanoTime();
      for (int round = 0; round < ROUNDS && System.nanoTime() - begin < NANOS; round++) {
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
