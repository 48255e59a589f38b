package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Pattern;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * Launches the same hot loop in fresh JVMs, every second one with a busy compiler while it warms
 * up, all of them after other code has used vectors, segments of other kinds and products of other
 * shapes; and scores each against the multiply-add peak measured in that launch. A JIT that ends
 * somewhere else from launch to launch shows as a spread.
 *
 * <p>A benchmark: run it alone on the machine. Arguments: launches (40), n (1024), seconds of
 * warm-up (4).
 */
final class FreshLaunch {
  /** How far below their median the slowest launch may be. */
  static final double BAR = 0.10;

  private static final double MEASURED_SECONDS = 1.5;
  private static final double SETTLING_SECONDS = 30;
  private static final int SETTLING_CALLS = 100;
  private static final String MARK = "score";

  /**
   * What one launch reported.
   *
   * @param busy whether the compiler had other work
   * @param peak multiply-add peak of one core, GFLOP/s
   * @param rate the hot loop's median rate, GFLOP/s
   */
  record Launch(boolean busy, double peak, double rate) {
    double score() {
      return rate / peak;
    }

    /** Reads the line a launch printed. */
    static Launch parse(List<String> lines) {
      var line =
          lines.stream()
              .filter(each -> each.startsWith(MARK))
              .findFirst()
              .orElseThrow(() -> new AssertionError("no score in " + lines));
      String[] words = line.split(" ", -1);
      return new Launch(
          Boolean.parseBoolean(words[1]),
          Double.parseDouble(words[2]),
          Double.parseDouble(words[3]));
    }

    /** The line to print. */
    String line() {
      return "%s %s %s %s".formatted(MARK, busy, peak, rate);
    }
  }

  /**
   * What all launches say together.
   *
   * @param median of the scores
   * @param shortfall distance of the lowest score from the median, relative to it
   */
  record Verdict(double median, double shortfall) {
    static Verdict of(List<Launch> launches) {
      double median = FreshLaunch.median(launches.stream().mapToDouble(Launch::score).toArray());
      double lowest = launches.stream().mapToDouble(Launch::score).min().orElseThrow();
      return new Verdict(median, 1 - lowest / median);
    }

    boolean passed() {
      return shortfall <= BAR;
    }
  }

  private FreshLaunch() {}

  static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  /** Launches, prints the table, and ends with status 1 if the bar is missed. */
  public static void main(String[] arguments) throws Exception {
    int count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 40;
    String n = arguments.length > 1 ? arguments[1] : "1024";
    String seconds = arguments.length > 2 ? arguments[2] : "4";
    var launches = new ArrayList<Launch>();
    System.out.println("| launch | compiler | peak, GFLOP/s | rate, GFLOP/s | of peak |");
    System.out.println("|---|---|---|---|---|");
    for (int i = 0; i < count; i++) {
      String busy = Boolean.toString(i % 2 == 1);
      var launch = Launch.parse(ForkedJvm.run(List.of(), Child.class, busy, n, seconds));
      launches.add(launch);
      System.out.printf(
          "| %d | %s | %.1f | %.1f | %.1f %% |%n",
          i + 1,
          launch.busy() ? "busy" : "quiet",
          launch.peak(),
          launch.rate(),
          100 * launch.score());
    }
    var verdict = Verdict.of(launches);
    System.out.printf(
        "%nmedian %.1f %% of peak; the slowest %.1f %% below it; bar %.0f %%: %s%n",
        100 * verdict.median(),
        100 * verdict.shortfall(),
        100 * BAR,
        verdict.passed() ? "passed" : "MISSED");
    if (!verdict.passed()) {
      System.exit(1);
    }
  }

  /** One launch. */
  static final class Child {
    private static volatile boolean warm;

    private Child() {}

    public static void main(String[] arguments) throws Exception {
      boolean busy = Boolean.parseBoolean(arguments[0]);
      int n = Integer.parseInt(arguments[1]);
      double seconds = Double.parseDouble(arguments[2]);
      Thread noise = busy ? Thread.ofPlatform().daemon().start(Child::keepCompilersBusy) : null;
      try (var session = Regolith.open(o -> o.threads(1));
          var arena = Arena.ofConfined()) {
        if (Float.isNaN(useSegmentsOfOtherKinds())) {
          throw new AssertionError("zeros add up to NaN");
        }
        multiplyOtherShapes(session);
        var random = new SplittableRandom(1);
        var a = Tensor.of(arena, Operand.gaussian(random, n * n), n, n);
        var b = Tensor.of(arena, Operand.gaussian(random, n * n), n, n);
        var c = Tensor.zeros(arena, DType.FLOAT32, n, n);
        rates(session, a, b, c, seconds, 0);
        stop(noise);
        // By count: a loop that is not compiled yet is slow, not stuck. One that stays so is.
        rates(session, a, b, c, SETTLING_SECONDS, SETTLING_CALLS);
        // Peak, rate, peak: the clock of a shared machine wanders.
        double before = Machine.fmaPeak(0.4).orElseThrow();
        double rate = median(rates(session, a, b, c, MEASURED_SECONDS, 0));
        double after = Machine.fmaPeak(0.4).orElseThrow();
        System.out.println(new Launch(busy, Math.max(before, after), rate).line());
      }
    }

    /** Other vector code, over memory of every kind, by the methods that kernels inline as well. */
    private static float useSegmentsOfOtherKinds() {
      float total = 0;
      var species = FloatVector.SPECIES_PREFERRED;
      try (var confined = Arena.ofConfined();
          var shared = Arena.ofShared()) {
        var segments =
            List.of(
                MemorySegment.ofArray(new float[4096]),
                MemorySegment.ofArray(new long[2048]),
                confined.allocate(4 * 4096L, 64),
                shared.allocate(4 * 4096L, 64).asReadOnly(),
                Arena.ofAuto().allocate(4 * 4096L, 64));
        for (int round = 0; round < 2000; round++) {
          for (MemorySegment segment : segments) {
            var sum = FloatVector.zero(species);
            for (long at = 0; at < 4 * 4096; at += species.vectorByteSize()) {
              var x = FloatVector.fromMemorySegment(species, segment, at, ByteOrder.nativeOrder());
              sum = x.fma(x, sum);
            }
            total += sum.lane(0);
          }
        }
      }
      return total;
    }

    private static void multiplyOtherShapes(Session session) {
      try (var arena = Arena.ofShared()) {
        for (int size : new int[] {1, 8, 33, 64, 256, 300}) {
          var a = Tensor.zeros(arena, DType.FLOAT32, size, size);
          var c = Tensor.zeros(arena, DType.FLOAT32, size, size);
          for (int i = 0; i < 20; i++) {
            session.gemm(a, a.transposed(), c);
            session.gemm(2, a, a, 0.5f, c);
          }
        }
      }
    }

    private static void stop(@Nullable Thread noise) throws InterruptedException {
      warm = true;
      if (noise != null) {
        noise.join();
      }
    }

    /** Rates of calls, for a time, or until {@code enough} of them if that is not 0. */
    private static double[] rates(
        Session session, Tensor a, Tensor b, Tensor c, double seconds, int enough) {
      long end = System.nanoTime() + (long) (seconds * 1e9);
      double work = 2.0 * a.size(0) * a.size(1) * b.size(1);
      var rates = new ArrayList<Double>();
      do {
        long start = System.nanoTime();
        session.gemm(a, b, c);
        rates.add(work / (System.nanoTime() - start));
      } while (System.nanoTime() < end && rates.size() != enough);
      return rates.stream().mapToDouble(Double::doubleValue).toArray();
    }

    /** New classes, patterns and lambdas, hot for a moment each, until the loop is warm. */
    private static void keepCompilersBusy() {
      try {
        for (int i = 0; !warm; i++) {
          var hidden = MethodHandles.lookup().defineHiddenClass(loop(i), true);
          var type = MethodType.methodType(long.class, long.class);
          var spin = hidden.findStatic(hidden.lookupClass(), "spin", type);
          for (int call = 0; call < 300; call++) {
            long ignored = (long) spin.invokeExact(1_000L);
          }
          var pattern = Pattern.compile("(a|b)*c{" + (1 + i % 7) + "}(d|e)+");
          Runnable match = () -> pattern.matcher("ababababcccdededede").matches();
          for (int call = 0; call < 300; call++) {
            match.run();
          }
        }
      } catch (Throwable failure) {
        throw new IllegalStateException("the noise failed", failure);
      }
    }

    /** A class with {@code static long spin(long n)}: a loop with a constant of its own. */
    private static byte[] loop(int constant) {
      return ClassFile.of()
          .build(
              ClassDesc.of(FreshLaunch.class.getPackageName(), "Noise" + constant),
              type ->
                  type.withMethodBody(
                      "spin",
                      MethodTypeDesc.of(ConstantDescs.CD_long, ConstantDescs.CD_long),
                      ClassFile.ACC_STATIC | ClassFile.ACC_PUBLIC,
                      code -> {
                        var head = code.newLabel();
                        var done = code.newLabel();
                        code.lconst_0().lstore(2);
                        code.labelBinding(head).lload(0).lconst_0().lcmp().ifle(done);
                        code.lload(2).loadConstant(31L + constant).lmul().lload(0).lxor();
                        code.lstore(2).lload(0).lconst_1().lsub().lstore(0).goto_(head);
                        code.labelBinding(done).lload(2).lreturn();
                      }));
    }
  }
}
