package dev.regolith.faultinjection.doctor;

import dev.regolith.kernels.Machine;
import dev.regolith.kernels.PackedMatrix;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;

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
  private static final int FLAT = 48;
  private static final int LARGE = 1024;
  private static final double PEAK_SECONDS = 0.3;
  private static final double WARM_UP_SECONDS = 2;
  private static final double SPEED_SECONDS = 0.4;

  static SelfCheck run() {
    try (var session = Regolith.open(options -> options.threads(1));
        var arena = Arena.ofShared()) {
      SmallProduct small = SmallProduct.of(session);
      double speed = speed(session, arena);
      double peak = Machine.fmaPeak(PEAK_SECONDS).orElse(Double.NaN);
      return new SelfCheck(
          session.backend(), small.bitsRight(), small.faultCorrected(), speed, peak);
    }
  }

  /** Whether results are right and faults are put back. */
  boolean healthy() {
    return bitsRight && faultCorrected;
  }

  /** A product with packed weights, as an engine computes it. */
  private static double speed(Session session, Arena arena) {
    Tensor source = Tensor.of(arena, SmallProduct.random(LARGE * LARGE, 4), LARGE, LARGE);
    PackedMatrix weights = session.pack(arena, source).transposed();
    // Until the compiler has done its work: flat products, but of all the code the large one runs.
    fastest(session, arena, weights, FLAT, WARM_UP_SECONDS);
    return fastest(session, arena, weights, LARGE, SPEED_SECONDS);
  }

  private static double fastest(
      Session session, Arena arena, PackedMatrix weights, int m, double seconds) {
    Tensor a = Tensor.of(arena, SmallProduct.random(m * LARGE, 3), m, LARGE);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, m, LARGE);
    double operations = 2.0 * m * LARGE * LARGE;
    return Speed.fastest(
        operations,
        seconds,
        () -> {
          var _ = session.gemm(a, weights, c);
        });
  }
}
