package dev.regolith.jmh.launch;

import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.jmh.statistics.Medians;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Arrays;

/** A hot loop from the first moment of a JVM, as an engine that embeds the library begins. */
final class ColdRun {
  /** Speeds are medians of so many calls, so that one interruption is no step back. */
  private static final int WINDOW = 5;

  private static final double ENOUGH = 0.9;

  private ColdRun() {}

  static ColdStart measure(int size, int threads, double seconds) {
    long origin = startOfJvm();
    try (var session = Regolith.open(options -> options.threads(threads));
        var arena = Arena.ofShared()) {
      double opened = secondsSince(origin);
      var problem = new Problem(Shape.cube(size), arena);
      double drawn = secondsSince(origin) - opened;
      Tensor x = Tensor.wrap(problem.a(), DType.FLOAT32, size, size);
      var weights = session.pack(Tensor.wrap(problem.b(), DType.FLOAT32, size, size));
      Tensor y = Tensor.zeros(arena, DType.FLOAT32, size, size);
      var ends = new double[1 << 20];
      long start = System.nanoTime();
      double first = 0;
      int calls = 0;
      double now = 0;
      while (calls < ends.length && (now < seconds || calls < 4 * WINDOW)) {
        if (session.gemm(x, weights.transposed(), y) != Status.CLEAN) {
          throw new IllegalStateException("a fault was found while it was timed");
        }
        now = (System.nanoTime() - start) / 1e9;
        ends[calls++] = now;
        if (calls == 1) {
          first = secondsSince(origin) - drawn; // drawing the operands is not the library's time
        }
      }
      double[] times = Arrays.copyOf(ends, calls);
      double steady = steady(times);
      double flops = Shape.cube(size).flops();
      return new ColdStart(
          size, threads, opened, first, secondsTo(times, steady / ENOUGH), flops / steady / 1e9);
    }
  }

  private static long startOfJvm() {
    long age = System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime();
    return System.nanoTime() - age * 1_000_000;
  }

  private static double secondsSince(long origin) {
    return (System.nanoTime() - origin) / 1e9;
  }

  /** Seconds per call over the last quarter of the calls. */
  static double steady(double[] ends) {
    return Medians.of(durations(ends, ends.length * 3 / 4, ends.length));
  }

  /** When a window of calls first was no slower than this, seconds per call. */
  static double secondsTo(double[] ends, double secondsPerCall) {
    for (int to = WINDOW; to <= ends.length; to++) {
      if (Medians.of(durations(ends, to - WINDOW, to)) <= secondsPerCall) {
        return to == WINDOW ? 0 : ends[to - WINDOW - 1];
      }
    }
    return ends[ends.length - 1];
  }

  private static double[] durations(double[] ends, int from, int to) {
    var durations = new double[to - from];
    for (int i = from; i < to; i++) {
      durations[i - from] = ends[i] - (i == 0 ? 0 : ends[i - 1]);
    }
    return durations;
  }
}
