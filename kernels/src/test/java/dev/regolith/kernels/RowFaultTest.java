package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Words changed while rows are computed, at every probe point of row operators. */
class RowFaultTest {
  private static final int BATCH = 3;
  private static final int ROWS = 29;
  private static final int COLUMNS = 150;
  private static final int POSITIONS = 60;

  private static final Set<ProbePoint> POINTS =
      EnumSet.of(
          ProbePoint.ROW_INPUT_READ,
          ProbePoint.ROW_INPUT_LAST_USE,
          ProbePoint.ROW_INPUT_SEAL,
          ProbePoint.ROW_SUMS,
          ProbePoint.ROW_STORED,
          ProbePoint.ROW_REPEATED,
          ProbePoint.C_SEAL);

  /** Operands, and where the result goes. */
  enum Setting {
    SEALED(2, Compute.BEST, true, false),
    PLAIN(1, Compute.BEST, false, false),
    IN_PLACE(2, Compute.BEST, false, true),
    SEALED_IN_PLACE(1, Compute.BEST, true, true),
    SCALAR(1, Compute.SCALAR, false, false);

    private final int threads;
    private final Compute compute;
    private final boolean sealed;
    private final boolean inPlace;

    Setting(int threads, Compute compute, boolean sealed, boolean inPlace) {
      this.threads = threads;
      this.compute = compute;
      this.sealed = sealed;
      this.inPlace = inPlace;
    }
  }

  /** What came of a call. */
  record Outcome(Status status, Status verified, boolean rightAtOnce, boolean right) {}

  private static final Outcome CLEAN = new Outcome(Status.CLEAN, Status.CLEAN, true, true);

  static Stream<Arguments> settings() {
    return Stream.of(
            RowVariant.SOFTMAX,
            RowVariant.RMS_NORM,
            RowVariant.LAYER_NORM_OF_SUM,
            RowVariant.ROPE_INTERLEAVED,
            RowVariant.ROPE_OF_HEADS,
            RowVariant.GELU_GATED)
        .flatMap(
            variant -> Stream.of(Setting.values()).map(setting -> Arguments.of(variant, setting)));
  }

  /** What a variant computes with, and what the scalar loop makes of it; the same in every run. */
  @SuppressWarnings("ArrayRecordComponent")
  private record Known(float[] x, float[] y, float[] weight, float[] bias, float[][] expected) {
    private static final Map<RowVariant, Known> OF = new EnumMap<>(RowVariant.class);

    static Known of(RowVariant variant) {
      return OF.computeIfAbsent(variant, Known::make);
    }

    private static Known make(RowVariant variant) {
      var random = new SplittableRandom(7);
      int count = BATCH * ROWS * COLUMNS;
      int length = variant.isRope() ? POSITIONS * RowVariant.pairs(COLUMNS) : COLUMNS;
      float[] x = Operand.gaussian(random, count);
      float[] y = Operand.gaussian(random, count);
      float[] weight = Operand.gaussian(random, length);
      float[] bias = Operand.gaussian(random, length);
      var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
      var out = Tensor.wrap(new float[count], BATCH, ROWS, COLUMNS);
      var sum = Tensor.wrap(new float[count], BATCH, ROWS, COLUMNS);
      variant.call(
          scalar,
          new RowVariant.Tensors(
              Tensor.wrap(x.clone(), BATCH, ROWS, COLUMNS),
              Tensor.wrap(y.clone(), BATCH, ROWS, COLUMNS),
              Tensor.wrap(weight.clone(), ofParameters(variant)),
              Tensor.wrap(bias.clone(), ofParameters(variant)),
              sum,
              out));
      return new Known(x, y, weight, bias, new float[][] {out.toArray(), sum.toArray()});
    }

    static long[] ofParameters(RowVariant variant) {
      return variant.isRope()
          ? new long[] {POSITIONS, RowVariant.pairs(COLUMNS)}
          : new long[] {COLUMNS};
    }
  }

  private static Outcome run(
      RowVariant variant, Setting setting, SessionUnderTest under, Probe.Hook hook) {
    var known = Known.of(variant);
    float[][] expected = known.expected;
    int count = BATCH * ROWS * COLUMNS;
    under.reports().clear();
    try (var arena = Arena.ofShared()) {
      var x = Tensor.of(arena, known.x, BATCH, ROWS, COLUMNS);
      var y = Tensor.of(arena, known.y, BATCH, ROWS, COLUMNS);
      var weight = Tensor.of(arena, known.weight, Known.ofParameters(variant));
      var bias = Tensor.of(arena, known.bias, Known.ofParameters(variant));
      var session = under.session();
      if (setting.sealed) {
        Stream.of(x, y, weight, bias).forEach(session::seal);
      }
      var fresh = Tensor.of(arena, new float[count], BATCH, ROWS, COLUMNS);
      var other = Tensor.of(arena, new float[count], BATCH, ROWS, COLUMNS);
      boolean writesSum = variant.writesSum();
      var out = setting.inPlace && !writesSum ? x : fresh;
      var sum = setting.inPlace && writesSum ? y : other;
      Status status;
      try (var _ = ProbeRelay.lend(hook)) {
        status = variant.call(session, new RowVariant.Tensors(x, y, weight, bias, sum, out));
      }
      boolean atOnce = same(expected, out, sum, writesSum);
      Status verified = session.verify(out);
      Status ofSum = session.verify(sum);
      verified = ofSum.compareTo(verified) > 0 ? ofSum : verified;
      boolean later = same(expected, out, sum, writesSum);
      if (session.protection() == Protection.CORRECT) {
        for (Tensor input : List.of(x, y, weight, bias)) {
          session.verify(input); // what happened after its last use is for its next reader to find
        }
        if (out != x) {
          assertThat(x.toArray()).as("x afterwards").isEqualTo(known.x);
        }
        if (sum != y) {
          assertThat(y.toArray()).as("y afterwards").isEqualTo(known.y);
        }
        assertThat(weight.toArray()).as("weights afterwards").isEqualTo(known.weight);
        assertThat(bias.toArray()).as("biases afterwards").isEqualTo(known.bias);
      }
      return new Outcome(status, verified, atOnce, later);
    }
  }

  private static boolean same(float[][] expected, Tensor out, Tensor sum, boolean writesSum) {
    return ReferenceGemm.firstDifference(expected[0], out.toArray()) < 0
        && (!writesSum || ReferenceGemm.firstDifference(expected[1], sum.toArray()) < 0);
  }

  @ParameterizedTest
  @MethodSource("settings")
  void corrected(RowVariant variant, Setting setting) {
    var under = SessionUnderTest.kept(setting.threads, Protection.CORRECT, setting.compute);
    var failures = new ArrayList<String>();
    var random = new SplittableRandom((variant.name() + setting.name()).hashCode());
    var kinds = List.of(UpsetKind.values());
    for (ProbePoint point : points(variant)) {
      int turn = 0;
      for (long occurrence : occurrences(variant, setting, under, point)) {
        for (int i = 0; i < 2; i++) {
          var kind = kinds.get(turn++ % kinds.size());
          var upset = new Upset(point, occurrence, kind, random);
          Outcome outcome = run(variant, setting, under, upset);
          boolean right =
              upset.reached() > occurrence
                  && outcome.status != Status.DETECTED
                  && outcome.right
                  && (outcome.rightAtOnce || point == ProbePoint.C_SEAL)
                  // What is noticed and nothing else is put back.
                  && (outcome.status == Status.CLEAN || under.reports().size() >= 1);
          if (!right) {
            failures.add("%s %s, occurrence %d: %s".formatted(point, kind, occurrence, outcome));
          }
        }
        Outcome next = run(variant, setting, under, new Upset(point, -1, UpsetKind.BIT_0, random));
        if (!next.equals(CLEAN) || !under.reports().isEmpty()) {
          failures.add("after %s, occurrence %d: %s".formatted(point, occurrence, next));
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("settings")
  void detected(RowVariant variant, Setting setting) {
    var under = SessionUnderTest.kept(setting.threads, Protection.DETECT, setting.compute);
    var failures = new ArrayList<String>();
    var random = new SplittableRandom((variant.name() + setting.name()).hashCode());
    for (ProbePoint point : points(variant)) {
      for (long occurrence : occurrences(variant, setting, under, point)) {
        Outcome outcome =
            run(variant, setting, under, new Upset(point, occurrence, UpsetKind.BIT_27, random));
        boolean flagged = outcome.status == Status.DETECTED || outcome.verified == Status.DETECTED;
        boolean right =
            outcome.status != Status.CORRECTED
                && (flagged || outcome.right)
                && under.reports().stream().allMatch(it -> it.resolution() == Resolution.DETECTED);
        if (!right) {
          failures.add("%s, occurrence %d: %s".formatted(point, occurrence, outcome));
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  private static Set<ProbePoint> points(RowVariant variant) {
    var points = EnumSet.copyOf(POINTS);
    if (variant != RowVariant.SOFTMAX && !variant.isNorm()) {
      points.remove(ProbePoint.ROW_SUMS);
    }
    return points;
  }

  /** The first, the last, and some between. */
  private static Set<Long> occurrences(
      RowVariant variant, Setting setting, SessionUnderTest under, ProbePoint point) {
    var counter = new Upset(point, -1, UpsetKind.BIT_0, new SplittableRandom(1));
    assertThat(run(variant, setting, under, counter)).isEqualTo(CLEAN);
    return counter.spread(3);
  }

  /** A store that is damaged every time. */
  @Test
  void whatCannotBeReproducedIsPoisoned() {
    try (var under = SessionUnderTest.open(options -> options.threads(2));
        var arena = Arena.ofShared()) {
      var x = Tensor.of(arena, Operand.gaussian(new SplittableRandom(1), 4000), 40, 100);
      var out = Tensor.of(arena, new float[4000], 40, 100);
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.ROW_STORED) {
              int word = memory.get(ValueLayout.JAVA_INT, offset);
              memory.set(ValueLayout.JAVA_INT, offset, word ^ 1);
            }
          };
      try (var _ = ProbeRelay.lend(hook)) {
        assertThatThrownBy(() -> under.session().softmax(x, out))
            .isInstanceOf(UncorrectableFaultException.class)
            .hasMessageContaining("softmax: UNCORRECTABLE");
      }
      assertThat(out.toArray()).containsOnly(Float.NaN);
      assertThat(out.isSealed()).isFalse();
      assertThat(under.report().resolution()).isEqualTo(Resolution.UNCORRECTABLE);
      assertThat(under.session().softmax(x, out)).isEqualTo(Status.CLEAN);
    }
  }
}
