package dev.regolith.kernels;

import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Times operators of rows unprotected, protected with inputs that their producer sealed, and
 * protected with inputs nobody sealed; by turns, medians. Prints a table. Not a test.
 */
final class RowCost {
  private static final int TURNS = 41;

  private RowCost() {}

  /** Arguments: rows, columns, threads. */
  public static void main(String[] arguments) {
    int rows = Integer.parseInt(arguments[0]);
    int columns = Integer.parseInt(arguments[1]);
    int threads = Integer.parseInt(arguments[2]);
    try (var off = Regolith.open(o -> o.threads(threads).protection(Protection.OFF));
        var on = Regolith.open(o -> o.threads(threads).protection(Protection.CORRECT));
        var arena = Arena.ofShared()) {
      for (RowVariant variant : RowVariant.values()) {
        row(off, on, arena, variant, rows, columns);
      }
    }
  }

  private static void row(
      Session off, Session on, Arena arena, RowVariant variant, int rows, int columns) {
    var plain = tensors(arena, variant, rows, columns);
    var open = tensors(arena, variant, rows, columns);
    var sealed = tensors(arena, variant, rows, columns);
    on.seal(sealed.x());
    on.seal(sealed.y());
    on.seal(sealed.weight());
    on.seal(sealed.bias());
    Runnable[] ways = {
      () -> variant.call(off, plain), () -> variant.call(on, sealed), () -> variant.call(on, open)
    };
    long once = time(ways[0], 3);
    int calls = Math.clamp(2_000_000 / Math.max(1, once), 1, 2000);
    long end = System.nanoTime() + 2_000_000_000L;
    while (System.nanoTime() < end) {
      for (Runnable way : ways) {
        time(way, calls);
      }
    }
    var times = new long[ways.length][TURNS];
    for (int turn = 0; turn < TURNS; turn++) {
      for (int way = 0; way < ways.length; way++) {
        times[way][turn] = time(ways[way], calls);
      }
    }
    double[] medians = new double[ways.length];
    for (int way = 0; way < ways.length; way++) {
      Arrays.sort(times[way]);
      medians[way] = times[way][TURNS / 2] / 1000.0;
    }
    System.out.printf(
        "%-20s %5d x %5d %9.1f %9.1f %9.1f us  %5.2f %5.2f%n",
        variant,
        rows,
        columns,
        medians[0],
        medians[1],
        medians[2],
        medians[1] / medians[0],
        medians[2] / medians[0]);
  }

  private static long time(Runnable call, int calls) {
    long start = System.nanoTime();
    for (int i = 0; i < calls; i++) {
      call.run();
    }
    return (System.nanoTime() - start) / calls;
  }

  private static RowVariant.Tensors tensors(
      Arena arena, RowVariant variant, int rows, int columns) {
    var random = new SplittableRandom(2);
    boolean rope = variant.isRope();
    // Rows of a rotation are heads of 128 elements; 32 heads a position.
    long[] shape = rope ? new long[] {rows, columns / 128, 128} : new long[] {1, rows, columns};
    long positions = RowVariant.FIRST + Math.max(rows, columns / 128);
    long[] ofParameters = rope ? new long[] {positions, 64} : new long[] {columns};
    int length = rope ? (int) positions * 64 : columns;
    int count = rows * columns;
    return new RowVariant.Tensors(
        Tensor.of(arena, Operand.gaussian(random, count), shape),
        Tensor.of(arena, Operand.gaussian(random, count), shape),
        Tensor.of(arena, Operand.gaussian(random, length), ofParameters),
        Tensor.of(arena, Operand.gaussian(random, length), ofParameters),
        Tensor.of(arena, new float[count], shape),
        Tensor.of(arena, new float[count], shape));
  }
}
