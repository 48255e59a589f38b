package dev.regolith.kernels;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Clean products on inputs that no rounding model likes. Nothing is injected: every call must be
 * {@link Status#CLEAN} and give the bits that a session without protection gives. A false alarm is
 * allowed, refuted by the ladder, and counted.
 */
final class HostileStatistics {
  /** Fills A (m x k, row-major) and B (k x n, row-major). */
  interface Filling {
    void fill(float[] a, float[] b, int m, int k, int n, SplittableRandom random);
  }

  /**
   * A way of being hostile.
   *
   * @param insideModel whether the rounding model covers it, so that no alarm is expected
   */
  record Hostile(String name, boolean insideModel, Filling filling) {
    @Override
    public String toString() {
      return name;
    }
  }

  /**
   * What a number of checks of one kind led to.
   *
   * @param checks rows of check blocks compared
   * @param calls products
   * @param refined checks above the estimated tolerance, whose exact one was worked out
   * @param refutedCalls products with a refuted false alarm
   * @param refutedBlocks check blocks (24 rows) whose evidence was refuted
   * @param duplicated check blocks without finite evidence, verified by computing twice
   * @param worst largest refuted residual, in tolerances
   */
  record Result(
      Hostile hostile,
      long checks,
      long calls,
      long refined,
      long refutedCalls,
      long refutedBlocks,
      long duplicated,
      double worst) {}

  private static final Hostile[] ALL = {
    new Hostile("large mean", true, each(r -> (float) (1000 + r.nextGaussian()))),
    new Hostile("large mean, both signs", true, HostileStatistics::meanBothSigns),
    new Hostile("huge range, 1e-15 to 1e15", true, each(r -> logUniform(r, 15))),
    new Hostile("denormal results", true, each(r -> (float) (r.nextGaussian() * 1e-21))),
    new Hostile("denormal inputs", true, HostileStatistics::denormalInputs),
    new Hostile("zeros, half of all words", true, each(r -> r.nextBoolean() ? 0 : gaussian(r))),
    new Hostile("all zeros of both signs", true, each(r -> r.nextBoolean() ? 0f : -0f)),
    new Hostile("cancellation to rounding noise", true, HostileStatistics::cancellation),
    new Hostile("one huge element per row", true, HostileStatistics::hugePerRow),
    new Hostile("sorted", true, HostileStatistics::sorted),
    new Hostile("identical columns", true, HostileStatistics::identicalColumns),
    new Hostile("columns of very different scale", true, HostileStatistics::scaledColumns),
    new Hostile("small integers", true, each(r -> r.nextInt(-3, 4))),
    new Hostile("Hilbert matrices", true, HostileStatistics::hilbert),
    new Hostile("rank one", true, HostileStatistics::rankOne),
    new Hostile("Gram matrix, B = A^T", true, HostileStatistics::gram),
    new Hostile("constant operands", false, HostileStatistics::constant),
    new Hostile("constant columns", false, HostileStatistics::constantColumns),
    new Hostile("alternating in step", true, HostileStatistics::alternating),
    new Hostile("columns that follow the signs", false, HostileStatistics::alongSigns),
    new Hostile("stagnation", false, HostileStatistics::stagnation),
    new Hostile("overflow of finite inputs", false, HostileStatistics::overflow),
  };

  private static final int[] COLUMNS = {384, 384, 384, 256, 128, 127, 129, 200, 64, 17, 3, 1};
  private static final int[] ROWS = {480, 480, 240, 120, 96, 37};
  private static final int[] DEPTHS = {64, 64, 96, 128, 128, 200, 256, 512, 1100};

  private HostileStatistics() {}

  /** All kinds. */
  static List<Hostile> all() {
    return List.of(ALL);
  }

  /**
   * Runs products of one kind until {@code checks} checks were made, or {@code refutedBlocks} false
   * alarms were refuted (each costs three computations, one of them in plain Java).
   *
   * @throws AssertionError if a result was destroyed or a call was not clean
   */
  static Result run(Hostile hostile, long checks, long refutedBlocks, long seed) {
    var random = new SplittableRandom(seed);
    var reports = new ArrayList<FaultReport>();
    long calls = 0;
    long refutedCalls = 0;
    long blocks = 0;
    double worst = 0;
    try (var guarded = Regolith.open(o -> o.threads(1).onFault(reports::add));
        var bare = Regolith.open(o -> o.threads(1).protection(Protection.OFF))) {
      while (guarded.counters().checks() < checks && blocks < refutedBlocks) {
        calls++;
        product(hostile, guarded, bare, random);
        for (FaultReport report : reports) {
          if (report.resolution() != Resolution.EVIDENCE_REFUTED) {
            throw new AssertionError(hostile + ": " + report.summary());
          }
          refutedCalls++;
          blocks += report.blocks();
          worst = Math.max(worst, excess(report));
        }
        reports.clear();
      }
      var counters = guarded.counters();
      return new Result(
          hostile,
          counters.checks(),
          calls,
          counters.refined(),
          refutedCalls,
          blocks,
          counters.duplicated(),
          worst);
    }
  }

  private static double excess(FaultReport report) {
    var worst = report.worst();
    return worst == null ? 0 : Math.abs(worst.residual()) / worst.tolerance();
  }

  private static void product(
      Hostile hostile, Session guarded, Session bare, SplittableRandom random) {
    int m = pick(ROWS, random);
    int n = pick(COLUMNS, random);
    int k = pick(DEPTHS, random);
    float alpha = random.nextInt(4) == 0 ? (float) random.nextGaussian() : 1;
    float beta = random.nextInt(4) == 0 ? (float) random.nextGaussian() : 0;
    var a = new float[m * k];
    var b = new float[k * n];
    hostile.filling.fill(a, b, m, k, n, random);
    var old = beta == 0 ? null : Arrays.copyOf(a, m * n);
    try (var arena = Arena.ofConfined()) {
      var x = Tensor.of(arena, a, m, k);
      var y = Tensor.of(arena, b, k, n);
      var expected = output(arena, old, m, n);
      var actual = output(arena, old, m, n);
      bare.gemm(alpha, x, y, beta, expected);
      Status status = guarded.gemm(alpha, x, y, beta, actual);
      if (status != Status.CLEAN) {
        throw new AssertionError("%s: %s without a fault".formatted(hostile, status));
      }
      int at = ReferenceGemm.firstDifference(expected.toArray(), actual.toArray());
      if (at >= 0) {
        throw new AssertionError("%s: element %d was destroyed".formatted(hostile, at));
      }
    }
  }

  private static Tensor output(Arena arena, float @Nullable [] old, int m, int n) {
    return Tensor.of(arena, old == null ? new float[m * n] : old, m, n);
  }

  private static int pick(int[] choices, SplittableRandom random) {
    return choices[random.nextInt(choices.length)];
  }

  // --------------------------------------------------------------------------------- hostilities

  private interface Draw {
    float next(SplittableRandom random);
  }

  private static Filling each(Draw draw) {
    return (a, b, m, k, n, random) -> {
      fill(a, draw, random);
      fill(b, draw, random);
    };
  }

  private static void fill(float[] data, Draw draw, SplittableRandom random) {
    for (int i = 0; i < data.length; i++) {
      data[i] = draw.next(random);
    }
  }

  private static float gaussian(SplittableRandom random) {
    return (float) random.nextGaussian();
  }

  private static float logUniform(SplittableRandom random, int decades) {
    double size = Math.pow(10, decades * (2 * random.nextDouble() - 1));
    return (float) (random.nextBoolean() ? size : -size);
  }

  private static void meanBothSigns(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, r -> 100 + gaussian(r), random);
    fill(b, r -> gaussian(r) - 100, random);
  }

  private static void denormalInputs(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, r -> gaussian(r) * 1e-40f, random);
    fill(b, HostileStatistics::gaussian, random);
  }

  /** Every large term is followed by its negative, so that little is left. */
  private static void cancellation(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, HostileStatistics::gaussian, random);
    fill(b, r -> 1e6f * gaussian(r), random);
    for (int s = 1; s < k; s += 2) {
      for (int i = 0; i < m; i++) {
        a[i * k + s] = -a[i * k + s - 1];
      }
      System.arraycopy(b, (s - 1) * n, b, s * n, n);
    }
  }

  private static void hugePerRow(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, HostileStatistics::gaussian, random);
    fill(b, HostileStatistics::gaussian, random);
    for (int i = 0; i < m; i++) {
      a[i * k + random.nextInt(k)] = logUniform(random, 10);
    }
  }

  private static void sorted(float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, HostileStatistics::gaussian, random);
    fill(b, HostileStatistics::gaussian, random);
    Arrays.sort(a);
    Arrays.sort(b);
  }

  private static void identicalColumns(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, HostileStatistics::gaussian, random);
    for (int s = 0; s < k; s++) {
      Arrays.fill(b, s * n, (s + 1) * n, gaussian(random));
    }
  }

  private static void scaledColumns(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, HostileStatistics::gaussian, random);
    var scales = new float[n];
    fill(scales, r -> logUniform(r, 12), random);
    for (int i = 0; i < b.length; i++) {
      b[i] = scales[i % n] * gaussian(random);
    }
  }

  private static void hilbert(float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    float shift = 1 + random.nextInt(50);
    for (int i = 0; i < a.length; i++) {
      a[i] = 1 / (i / k + i % k + shift);
    }
    for (int i = 0; i < b.length; i++) {
      b[i] = 1 / (i / n + i % n + shift);
    }
  }

  private static void rankOne(float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    var u = new float[m];
    var v = new float[k];
    var w = new float[n];
    fill(u, HostileStatistics::gaussian, random);
    fill(v, HostileStatistics::gaussian, random);
    fill(w, HostileStatistics::gaussian, random);
    for (int i = 0; i < a.length; i++) {
      a[i] = u[i / k] * v[i % k];
    }
    fill(v, HostileStatistics::gaussian, random);
    for (int i = 0; i < b.length; i++) {
      b[i] = v[i / n] * w[i % n];
    }
  }

  /** The products of a set of vectors with themselves: one coherent element in a row. */
  private static void gram(float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, HostileStatistics::gaussian, random);
    for (int i = 0; i < b.length; i++) {
      int row = i % n;
      b[i] = row < m ? a[row * k + i / n] : gaussian(random);
    }
  }

  private static void constant(float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    Arrays.fill(a, gaussian(random));
    Arrays.fill(b, gaussian(random));
  }

  private static void constantColumns(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    Arrays.fill(a, gaussian(random));
    var row = new float[n];
    fill(row, HostileStatistics::gaussian, random);
    for (int s = 0; s < k; s++) {
      System.arraycopy(row, 0, b, s * n, n);
    }
  }

  /** Both operands change sign at every step, so every product is positive and no mean shows it. */
  private static void alternating(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, r -> 1 + 0.1f * gaussian(r), random);
    fill(b, r -> 1 + 0.1f * gaussian(r), random);
    for (int s = 1; s < k; s += 2) {
      for (int i = 0; i < m; i++) {
        a[i * k + s] *= -1;
      }
      for (int j = 0; j < n; j++) {
        b[s * n + j] *= -1;
      }
    }
  }

  /** Columns of one value with the sign that the check gives them: nothing drops out. */
  private static void alongSigns(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, r -> r.nextFloat(), random);
    for (int s = 0; s < k; s++) {
      float value = random.nextFloat();
      for (int j = 0; j < n; j++) {
        double sign = Signs.of(j / CheckBlock.COLUMNS, j % CheckBlock.COLUMNS);
        b[s * n + j] = sign > 0 ? value : -value;
      }
    }
  }

  /** A large first term, then positive terms too small to move it: every rounding is down. */
  private static void stagnation(
      float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    Arrays.fill(a, 1);
    fill(b, r -> 0.3f + 0.01f * r.nextFloat(), random);
    Arrays.fill(b, 0, n, 0x1p24f);
  }

  private static void overflow(float[] a, float[] b, int m, int k, int n, SplittableRandom random) {
    fill(a, r -> 1e18f * gaussian(r), random);
    fill(b, r -> 1e20f * gaussian(r), random);
  }

  /** Runs all kinds; arguments: number of checks, bound on refuted blocks per kind, seed. */
  public static void main(String[] arguments) {
    long total = arguments.length > 0 ? Long.parseLong(arguments[0]) : 10_000_000;
    long refutedBlocks = arguments.length > 1 ? Long.parseLong(arguments[1]) : 5_000;
    long seed = arguments.length > 2 ? Long.parseLong(arguments[2]) : 1;
    long start = System.nanoTime();
    var results = new ArrayList<Result>();
    // Kinds outside the model first: what they leave of the total goes to the others.
    var order = new ArrayList<>(all());
    order.sort((x, y) -> Boolean.compare(x.insideModel, y.insideModel));
    long left = total;
    for (int i = 0; i < order.size(); i++) {
      long share = Math.ceilDiv(left, order.size() - i);
      Result result = run(order.get(i), share, refutedBlocks, seed + i);
      left -= result.checks();
      results.add(result);
    }
    results.sort((x, y) -> all().indexOf(x.hostile) - all().indexOf(y.hostile));
    print(results, (System.nanoTime() - start) / 1e9);
  }

  private static String describe(double worst) {
    if (Double.isNaN(worst)) {
      return "not finite";
    }
    return worst == 0 ? "below 1" : "%.3g".formatted(worst);
  }

  private static void print(List<Result> results, double seconds) {
    System.out.println(
        "| inputs | checks | products | refined checks | refuted blocks | refuted products | blocks"
            + " refuted per check | largest residual / tolerance | computed twice |");
    System.out.println("|---|---|---|---|---|---|---|---|---|");
    long checks = 0;
    long refuted = 0;
    for (Result result : results) {
      checks += result.checks();
      refuted += result.refutedBlocks();
      System.out.printf(
          "| %s | %,d | %,d | %,d | %,d | %,d | %.2g | %s | %,d |%n",
          result.hostile(),
          result.checks(),
          result.calls(),
          result.refined(),
          result.refutedBlocks(),
          result.refutedCalls(),
          (double) result.refutedBlocks() / result.checks(),
          describe(result.worst()),
          result.duplicated());
    }
    System.out.printf(
        "%n%,d clean checks, %,d blocks refuted, no result destroyed, %.0f s%n",
        checks, refuted, seconds);
  }
}
