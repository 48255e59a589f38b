package dev.regolith.faultinjection.doctor;

import dev.regolith.faultinjection.cli.Verifier;
import dev.regolith.kernels.Activation;
import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Rotary;
import dev.regolith.kernels.Rotary.Convention;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Verifies a backend as a user would who does not trust it: against the scalar loop, with damage it
 * has to notice, and with a clock.
 */
public final class BackendVerifier implements Verifier {
  private static final int PRODUCTS = 60;
  private static final String BITS = "bits of the scalar loop";
  private static final String WRONG = "other bits than the scalar loop";
  private static final int LARGE = 1024;
  private static final int HEADS = 8;
  private static final int HEAD_SIZE = 64;
  private static final float EPSILON = 1e-5f;

  private static final Work PRODUCT =
      new Work(
          "at %d cubes".formatted(LARGE), 2.0 * LARGE * LARGE * LARGE, BackendVerifier::product);

  private static final Work ATTENTION =
      new Work(
          "attention of %d heads, %d queries and keys, size %d".formatted(HEADS, LARGE, HEAD_SIZE),
          4.0 * HEADS * LARGE * LARGE * HEAD_SIZE,
          BackendVerifier::attention);

  private static final double WARM_UP_SECONDS = 1.5;
  private static final double SPEED_SECONDS = 1;

  @Override
  public boolean verify(Subject subject, int trials, PrintWriter out) throws IOException {
    Compute compute = subject.backend().map(Compute::named).orElse(Compute.BEST);
    Consumer<SessionOptions> options =
        o -> {
          o.compute(compute).evidence(subject.evidence());
          subject.device().ifPresent(o::device);
        };
    boolean good = true;
    boolean attends;
    boolean maps;
    boolean canonical;
    try (var session = Regolith.open(options);
        var twin = Regolith.open(o -> o.compute(Compute.SCALAR).protection(Protection.OFF))) {
      String computing = session.backend();
      line(out, "computes", computing);
      canonical = session.isCanonical();
      int right = rightProducts(session, twin);
      good &= right == PRODUCTS;
      String what =
          canonical ? "" : " of integers, which are exact in any order and never subnormal,";
      line(out, "products", "%d of %d%s have the %s".formatted(right, PRODUCTS, what, BITS));
      String attention = session.configuration().get("attentionComputedBy");
      attends = !compute.isAccelerator() || "device".equals(attention);
      String by = attends ? "" : ", the CPU's: the device does not compute it";
      good &= say(out, "attention", isAttentionRight(session, twin), BITS + by, WRONG);
      String rows = session.configuration().get("rowsComputedBy");
      maps = !compute.isAccelerator() || !"host".equals(rows);
      String byRows = maps ? "" : ", the CPU's: the device does not compute them";
      good &= say(out, "row operators", areRowsRight(session, twin), BITS + byRows, WRONG);
      boolean putBack = SmallProduct.of(session).faultCorrected();
      good &= say(out, "damaged operand", putBack, "found, put back", "not put back");
      if (!session.backend().equals(computing)) {
        line(out, "FAILED", "it fell back: " + session.backend());
        return false;
      }
    }
    good &= speed(PRODUCT, options, out);
    if (attends) {
      good &= speed(ATTENTION, options, out);
    }
    var workloads = new ArrayList<String>();
    if (canonical) {
      workloads.add("gemm");
    } else {
      line(out, "faults, gemm", "left out: a campaign compares with the canonical bits");
    }
    if (attends) {
      workloads.add("attention");
    }
    if (maps) {
      workloads.add("rows");
    }
    if (workloads.isEmpty()) {
      line(out, "faults", "none were struck: nothing that the device computes has canonical bits");
    }
    good &= strike(workloads, subject, trials, out);
    return good;
  }

  /**
   * Campaigns side by side, each in a JVM of its own: a probe has to be there before the first
   * kernel runs.
   */
  private static boolean strike(
      List<String> workloads, Subject subject, int trials, PrintWriter out) throws IOException {
    var running = new ArrayList<CampaignProcess>();
    boolean good = true;
    try {
      for (String workload : workloads) {
        running.add(CampaignProcess.start(workload, subject, trials));
      }
      for (int i = 0; i < running.size(); i++) {
        CampaignProcess.Ending ending = running.get(i).await();
        good &=
            say(
                out,
                "%d faults, %s".formatted(trials, workloads.get(i)),
                ending.held(),
                "nothing wrong got out",
                "the protection fell short, or the campaign did:%n%s"
                    .formatted(ending.lastWords()));
      }
    } finally {
      running.forEach(CampaignProcess::close);
    }
    return good;
  }

  private static boolean say(
      PrintWriter out, String what, boolean good, String ifGood, String ifBad) {
    line(out, what, good ? ifGood : "FAILED: " + ifBad);
    return good;
  }

  private static void line(PrintWriter out, String what, String result) {
    out.printf("%-22s %s%n", what, result);
    out.flush();
  }

  // --------------------------------------------------------------------------------------- bits

  private static int rightProducts(Session session, Session twin) {
    var random = new SplittableRandom(5);
    boolean canonical = session.isCanonical();
    Values wide = canonical ? BackendVerifier::values : integers(2047);
    Values narrow = canonical ? BackendVerifier::values : integers(3);
    int right = 0;
    for (int i = 0; i < PRODUCTS; i++) {
      try (var arena = Arena.ofShared()) {
        int m = random.nextInt(1, 120);
        int n = random.nextInt(1, 400);
        int k = random.nextInt(1, i % 5 == 0 ? 1200 : 200);
        Tensor a = matrix(arena, wide, random, m, k, random.nextBoolean());
        Tensor b = matrix(arena, narrow, random, k, n, random.nextBoolean());
        if (canonical && i % 4 == 3) {
          b = inHalves(arena, i % 8 == 3 ? DType.BFLOAT16 : DType.FLOAT16, b);
        }
        float alpha = random.nextBoolean() ? 1 : -0.75f;
        float beta = random.nextBoolean() ? 0 : 0.5f;
        Tensor c = Tensor.of(arena, wide.of(new SplittableRandom(i), m * n), m, n);
        Tensor expected = Tensor.of(arena, wide.of(new SplittableRandom(i), m * n), m, n);
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
    var plain = AttentionOptions.defaults();
    try (var arena = Arena.ofShared()) {
      var random = new SplittableRandom(6);
      Tensor mask = Tensor.of(arena, values(random, 70 * 1300), 70, 1300);
      return isAttentionRight(session, twin, 70, 300, 64, plain.causal())
          && isAttentionRight(session, twin, 1, 1300, 128, plain.slopes(0.25f, 0.5f, 1, 2))
          && isAttentionRight(session, twin, 70, 1300, 40, plain.softcap(3).mask(mask))
          && isAttentionRight(session, twin, 200, 500, 80, plain.causal().window(100, 0));
    }
  }

  /** Of fresh keys and values, and of cached ones. */
  private static boolean isAttentionRight(
      Session session, Session twin, int queries, int keys, int size, AttentionOptions options) {
    try (var arena = Arena.ofShared();
        var cache = session.cache(2, size, size)) {
      var random = new SplittableRandom(keys);
      Tensor q = Tensor.of(arena, values(random, 4 * queries * size), 1, 4, queries, size);
      Tensor k = Tensor.of(arena, values(random, 2 * keys * size), 1, 2, keys, size);
      Tensor v = Tensor.of(arena, values(random, 2 * keys * size), 1, 2, keys, size);
      Tensor fresh = Tensor.zeros(arena, DType.FLOAT32, 1, 4, queries, size);
      Tensor cached = Tensor.zeros(arena, DType.FLOAT32, 1, 4, queries, size);
      Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 1, 4, queries, size);
      Status status = session.attention(q, k, v, fresh, options);
      Status appended = session.append(cache, k, v);
      Status again = session.attention(q, List.of(cache), cached, options);
      var _ = twin.attention(q, k, v, expected, options);
      boolean clean = status == Status.CLEAN && appended == Status.CLEAN && again == Status.CLEAN;
      return clean && sameBits(fresh, expected) && sameBits(cached, expected);
    }
  }

  /** An operator of rows, of x, another of its shape and weights. */
  @FunctionalInterface
  private interface RowsOperator {
    Status apply(Session session, Tensor x, Tensor y, Tensor weights, Tensor out);
  }

  private static boolean areRowsRight(Session session, Session twin) {
    return Stream.<RowsOperator>of(
            (s, x, y, weights, out) -> s.softmax(0.5f, x, out),
            (s, x, y, weights, out) -> s.rmsNorm(x, weights, EPSILON, out),
            (s, x, y, weights, out) -> s.rmsNorm(x, y, weights, EPSILON, y, out),
            (s, x, y, weights, out) -> s.layerNorm(x, weights, weights, EPSILON, out),
            (s, x, y, weights, out) -> s.layerNorm(x, y, weights, null, EPSILON, y, out),
            (s, x, y, weights, out) -> rotate(s, Convention.INTERLEAVED, x, out),
            (s, x, y, weights, out) -> rotate(s, Convention.HALVES, x, out),
            (s, x, y, weights, out) -> s.activate(Activation.SILU, x, out),
            (s, x, y, weights, out) -> s.activate(Activation.SILU, x, y, out),
            (s, x, y, weights, out) -> s.activate(Activation.GELU, x, out),
            (s, x, y, weights, out) -> s.activate(Activation.GELU_TANH, x, y, out),
            (s, x, y, weights, out) -> s.add(x, y, out))
        .allMatch(operator -> isRight(operator, session, twin));
  }

  private static Status rotate(Session session, Convention convention, Tensor x, Tensor out) {
    try (var arena = Arena.ofShared()) {
      var tables = Rotary.of(convention, arena, x.size(0), x.size(1), 1e4);
      return session.rope(x, tables, 0, out);
    }
  }

  private static boolean isRight(RowsOperator operator, Session session, Session twin) {
    try (var arena = Arena.ofShared()) {
      var random = new SplittableRandom(7);
      Tensor x = Tensor.of(arena, values(random, 33 * 500), 33, 500);
      Tensor y = Tensor.of(arena, values(random, 33 * 500), 33, 500);
      Tensor other = Tensor.of(arena, y.toArray(), 33, 500); // y may be where a sum goes
      Tensor weights = Tensor.of(arena, values(random, 500), 500);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 33, 500);
      Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 33, 500);
      session.upload(x); // where there is a device, it computes
      Status status = operator.apply(session, x, y, weights, out);
      var _ = operator.apply(twin, x, other, weights, expected);
      return status == Status.CLEAN && sameBits(out, expected) && sameBits(y, other);
    }
  }

  /** What matrices hold. */
  @FunctionalInterface
  private interface Values {
    float[] of(SplittableRandom random, int length);
  }

  /** Few enough digits that products and sums are exact, in whatever order they are added up. */
  private static Values integers(int most) {
    return (random, length) -> {
      var values = new float[length];
      for (int i = 0; i < length; i++) {
        values[i] = random.nextInt(-most, most + 1);
      }
      return values;
    };
  }

  /** The nearest numbers of 16 bits, with rows along k, as weights have them. */
  private static Tensor inHalves(Arena arena, DType type, Tensor b) {
    return Tensor.of(arena, type, b.transposed().toArray(), b.size(1), b.size(0)).transposed();
  }

  private static Tensor matrix(
      Arena arena, Values source, SplittableRandom random, int rows, int columns, boolean turned) {
    float[] values = source.of(random, rows * columns);
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

  /** What is timed: its name, its floating-point operations, and how a session does it. */
  private record Work(
      String name, double operations, BiFunction<Session, Arena, Runnable> preparation) {}

  /**
   * Work of all threads, interleaved with the CPU's; whether the backend is what computed to the
   * end.
   */
  private static boolean speed(Work work, Consumer<SessionOptions> options, PrintWriter out) {
    try (var arena = Arena.ofShared();
        var plain = Regolith.open(options.andThen(o -> o.protection(Protection.OFF)));
        var guarded = Regolith.open(options);
        var cpu = Regolith.open(o -> o.compute(Compute.BEST).protection(Protection.OFF))) {
      String computing = plain.backend();
      var runs = new ArrayList<Runnable>();
      for (Session session : List.of(plain, guarded, cpu)) {
        runs.add(work.preparation.apply(session, arena));
      }
      for (Runnable run : runs) {
        Speed.fastest(work.operations, WARM_UP_SECONDS, run);
      }
      var best = new double[runs.size()];
      long deadline = System.nanoTime() + (long) (best.length * SPEED_SECONDS * 1e9);
      while (System.nanoTime() < deadline) {
        for (int i = 0; i < best.length; i++) {
          best[i] = Math.max(best[i], Speed.fastest(work.operations, 0, runs.get(i)));
        }
      }
      String speeds =
          "%.0f GFLOP/s unprotected, %.0f protected (%.2f x), %s; %s: %.0f"
              .formatted(best[0], best[1], best[1] / best[0], work.name, cpu.backend(), best[2]);
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
    // Somebody holds its segment, so that every result comes to the host.
    session.seal(c);
    var _ = c.segment();
    return () -> {
      var _ = session.gemm(a, weights, c);
    };
  }

  private static Runnable attention(Session session, Arena arena) {
    var random = new SplittableRandom(10);
    var operands = new ArrayList<Tensor>();
    for (int i = 0; i < 3; i++) {
      float[] values = values(random, HEADS * LARGE * HEAD_SIZE);
      operands.add(Tensor.of(arena, values, 1, HEADS, LARGE, HEAD_SIZE));
    }
    Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, HEADS, LARGE, HEAD_SIZE);
    return () -> {
      var _ = session.attention(operands.get(0), operands.get(1), operands.get(2), out);
    };
  }
}
