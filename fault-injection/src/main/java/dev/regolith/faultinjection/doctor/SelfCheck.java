package dev.regolith.faultinjection.doctor;

import dev.regolith.kernels.Machine;
import dev.regolith.kernels.PackedMatrix;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Multiplies, compares with a plain loop, damages a sealed operand, looks whether it is put back,
 * and measures the speed of one thread; takes about three seconds, most of them to warm up.
 *
 * @param backend what computed
 * @param bitsRight whether a product had the bits of the scalar chain
 * @param faultCorrected whether a flipped bit was found, undone, and left no trace in the result
 * @param gflops speed of a protected 1024 x 1024 x 1024 product on one thread, GFLOP/s
 * @param fmaPeak what the core can do at most, GFLOP/s; NaN if unknown
 */
record SelfCheck(
    String backend, boolean bitsRight, boolean faultCorrected, double gflops, double fmaPeak) {
  private static final int SMALL = 96;
  private static final int FLAT = 48;
  private static final int LARGE = 1024;
  private static final double PEAK_SECONDS = 0.3;
  private static final double WARM_UP_SECONDS = 2;
  private static final double SPEED_SECONDS = 0.4;

  static SelfCheck run() {
    try (var session = Regolith.open(options -> options.threads(1));
        var arena = Arena.ofShared()) {
      float[] x = random(SMALL * SMALL, 1);
      float[] y = random(SMALL * SMALL, 2);
      MemorySegment memory = arena.allocate(4L * SMALL * SMALL, Tensor.ALIGNMENT);
      memory.copyFrom(MemorySegment.ofArray(x));
      Tensor a = Tensor.wrap(memory, DType.FLOAT32, SMALL, SMALL);
      Tensor b = Tensor.of(arena, y, SMALL, SMALL);
      float[] expected = chain(x, y);
      Tensor c = Tensor.zeros(arena, DType.FLOAT32, SMALL, SMALL);
      boolean right = session.gemm(a, b, c) == Status.CLEAN && same(expected, c);
      session.seal(a);
      memory.set(ValueLayout.JAVA_INT, 4000, memory.get(ValueLayout.JAVA_INT, 4000) ^ 1 << 27);
      boolean corrected =
          session.gemm(a, b, c) == Status.CORRECTED
              && same(expected, c)
              && session.verify(a) == Status.CLEAN;
      double speed = speed(session, arena);
      double peak = Machine.fmaPeak(PEAK_SECONDS).orElse(Double.NaN);
      return new SelfCheck(session.backend(), right, corrected, speed, peak);
    }
  }

  /** Whether results are right and faults are put back. */
  boolean healthy() {
    return bitsRight && faultCorrected;
  }

  /** A product with packed weights, as an engine computes it. */
  private static double speed(Session session, Arena arena) {
    Tensor source = Tensor.of(arena, random(LARGE * LARGE, 4), LARGE, LARGE);
    PackedMatrix weights = session.pack(arena, source).transposed();
    // Until the compiler has done its work: flat products, but of all the code the large one runs.
    fastest(session, arena, weights, FLAT, WARM_UP_SECONDS);
    return fastest(session, arena, weights, LARGE, SPEED_SECONDS);
  }

  private static double fastest(
      Session session, Arena arena, PackedMatrix weights, int m, double seconds) {
    Tensor a = Tensor.of(arena, random(m * LARGE, 3), m, LARGE);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, m, LARGE);
    long deadline = System.nanoTime() + (long) (seconds * 1e9);
    double best = 0;
    do {
      long start = System.nanoTime();
      var _ = session.gemm(a, weights, c);
      best = Math.max(best, 2.0 * m * LARGE * LARGE / (System.nanoTime() - start));
    } while (System.nanoTime() < deadline);
    return best;
  }

  private static float[] chain(float[] a, float[] b) {
    var c = new float[SMALL * SMALL];
    for (int i = 0; i < SMALL; i++) {
      for (int j = 0; j < SMALL; j++) {
        float acc = 0;
        for (int k = 0; k < SMALL; k++) {
          acc = Math.fma(a[i * SMALL + k], b[k * SMALL + j], acc);
        }
        c[i * SMALL + j] = acc;
      }
    }
    return c;
  }

  private static boolean same(float[] expected, Tensor c) {
    return Arrays.equals(expected, c.toArray());
  }

  private static float[] random(int length, long seed) {
    var random = new SplittableRandom(seed);
    var values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }
}
