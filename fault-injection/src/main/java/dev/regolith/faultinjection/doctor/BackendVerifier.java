package dev.regolith.faultinjection.doctor;

import dev.regolith.faultinjection.cli.Verifier;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.SessionOptions;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * Verifies a backend as a user would who does not trust it: against the scalar loop, with damage it
 * has to notice, and with a clock.
 */
public final class BackendVerifier implements Verifier {
  private static final int PRODUCTS = 60;
  private static final String BITS = "bits of the scalar loop";
  private static final String WRONG = "other bits than the scalar loop";
  private static final int LARGE = 1024;
  private static final double WARM_UP_SECONDS = 1.5;
  private static final double SPEED_SECONDS = 1;

  @Override
  public boolean verify(
      Optional<String> backend, Optional<String> device, int trials, PrintWriter out)
      throws IOException {
    Compute compute = backend.map(Compute::named).orElse(Compute.BEST);
    Consumer<SessionOptions> options =
        o -> {
          o.compute(compute);
          device.ifPresent(o::device);
        };
    boolean good = true;
    try (var session = Regolith.open(options);
        var twin = Regolith.open(o -> o.compute(Compute.SCALAR).protection(Protection.OFF))) {
      String computing = session.backend();
      line(out, "computes", computing);
      int right = rightProducts(session, twin);
      good &= right == PRODUCTS;
      line(out, "products", "%d of %d have the bits of the scalar loop".formatted(right, PRODUCTS));
      good &= say(out, "attention", isAttentionRight(session, twin), BITS, WRONG);
      good &= say(out, "softmax", isSoftmaxRight(session, twin), BITS, WRONG);
      boolean putBack = SmallProduct.of(session).faultCorrected();
      good &= say(out, "damaged operand", putBack, "found, put back", "not put back");
      if (!session.backend().equals(computing)) {
        line(out, "FAILED", "it fell back: " + session.backend());
        return false;
      }
    }
    good &= speed(options, out);
    // In a JVM of its own: a probe has to be there before the first kernel runs.
    var campaign = CampaignProcess.run(backend, device, trials);
    good &=
        say(
            out,
            trials + " faults",
            campaign.held(),
            "nothing wrong got out",
            "the protection fell short, or the campaign did:%n%s".formatted(campaign.lastWords()));
    return good;
  }

  private static boolean say(
      PrintWriter out, String what, boolean good, String ifGood, String ifBad) {
    line(out, what, good ? ifGood : "FAILED: " + ifBad);
    return good;
  }

  private static void line(PrintWriter out, String what, String result) {
    out.printf("%-18s %s%n", what, result);
    out.flush();
  }

  // --------------------------------------------------------------------------------------- bits

  private static int rightProducts(Session session, Session twin) {
    var random = new SplittableRandom(5);
    int right = 0;
    for (int i = 0; i < PRODUCTS; i++) {
      try (var arena = Arena.ofShared()) {
        int m = random.nextInt(1, 120);
        int n = random.nextInt(1, 400);
        int k = random.nextInt(1, i % 5 == 0 ? 1200 : 200);
        Tensor a = matrix(arena, random, m, k, random.nextBoolean());
        Tensor b = matrix(arena, random, k, n, random.nextBoolean());
        float alpha = random.nextBoolean() ? 1 : -0.75f;
        float beta = random.nextBoolean() ? 0 : 0.5f;
        Tensor c = Tensor.of(arena, values(new SplittableRandom(i), m * n), m, n);
        Tensor expected = Tensor.of(arena, values(new SplittableRandom(i), m * n), m, n);
        Status status =
            random.nextBoolean()
                ? session.gemm(alpha, a, session.pack(arena, b.transposed()).transposed(), beta, c)
                : session.gemm(alpha, a, b, beta, c);
        var _ = twin.gemm(alpha, a, b, beta, expected);
        right += status == Status.CLEAN && sameBits(c, expected) ? 1 : 0;
      }
    }
    return right;
  }

  private static boolean isAttentionRight(Session session, Session twin) {
    try (var arena = Arena.ofShared()) {
      var random = new SplittableRandom(6);
      Tensor q = Tensor.of(arena, values(random, 4 * 70 * 64), 1, 4, 70, 64);
      Tensor k = Tensor.of(arena, values(random, 2 * 300 * 64), 1, 2, 300, 64);
      Tensor v = Tensor.of(arena, values(random, 2 * 300 * 64), 1, 2, 300, 64);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 70, 64);
      Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 70, 64);
      var causal = AttentionOptions.defaults().causal();
      Status status = session.attention(q, k, v, out, causal);
      var _ = twin.attention(q, k, v, expected, causal);
      return status == Status.CLEAN && sameBits(out, expected);
    }
  }

  private static boolean isSoftmaxRight(Session session, Session twin) {
    try (var arena = Arena.ofShared()) {
      Tensor x = Tensor.of(arena, values(new SplittableRandom(7), 33 * 500), 33, 500);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 33, 500);
      Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 33, 500);
      Status status = session.softmax(x, out);
      var _ = twin.softmax(x, expected);
      return status == Status.CLEAN && sameBits(out, expected);
    }
  }

  private static Tensor matrix(
      Arena arena, SplittableRandom random, int rows, int columns, boolean turned) {
    float[] values = values(random, rows * columns);
    return turned
        ? Tensor.of(arena, values, columns, rows).transposed()
        : Tensor.of(arena, values, rows, columns);
  }

  private static float[] values(SplittableRandom random, int length) {
    var values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static boolean sameBits(Tensor x, Tensor y) {
    return Arrays.equals(x.toArray(), y.toArray());
  }

  // -------------------------------------------------------------------------------------- speed

  /**
   * A product with packed weights, all threads, interleaved with the CPU's; whether the backend is
   * what computed to the end.
   */
  private static boolean speed(Consumer<SessionOptions> options, PrintWriter out) {
    try (var arena = Arena.ofShared();
        var plain = Regolith.open(options.andThen(o -> o.protection(Protection.OFF)));
        var guarded = Regolith.open(options);
        var cpu = Regolith.open(o -> o.compute(Compute.BEST).protection(Protection.OFF))) {
      String computing = plain.backend();
      var products =
          new Runnable[] {product(plain, arena), product(guarded, arena), product(cpu, arena)};
      for (Runnable product : products) {
        repeat(product, WARM_UP_SECONDS);
      }
      var best = new double[products.length];
      long deadline = System.nanoTime() + (long) (products.length * SPEED_SECONDS * 1e9);
      while (System.nanoTime() < deadline) {
        for (int i = 0; i < products.length; i++) {
          best[i] = Math.max(best[i], repeat(products[i], 0));
        }
      }
      String speeds =
          "%.0f GFLOP/s unprotected, %.0f protected (%.2f x), at %d cubes; %s: %.0f"
              .formatted(best[0], best[1], best[1] / best[0], LARGE, cpu.backend(), best[2]);
      boolean lasting = plain.backend().equals(computing) && guarded.backend().equals(computing);
      return say(out, "speed", lasting, speeds, "it fell back: " + plain.backend());
    }
  }

  private static Runnable product(Session session, Arena arena) {
    var random = new SplittableRandom(9);
    Tensor a = Tensor.of(arena, values(random, LARGE * LARGE), LARGE, LARGE);
    Tensor source = Tensor.of(arena, values(random, LARGE * LARGE), LARGE, LARGE);
    var weights = session.pack(arena, source).transposed();
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, LARGE, LARGE);
    return () -> {
      var _ = session.gemm(a, weights, c);
    };
  }

  private static double repeat(Runnable product, double seconds) {
    return Speed.fastest(2.0 * LARGE * LARGE * LARGE, seconds, product);
  }
}
