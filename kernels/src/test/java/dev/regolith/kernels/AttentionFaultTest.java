package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Words changed, and commands of a device lost, while attention is computed: every probe point. */
@Tag("device")
class AttentionFaultTest {
  private static final boolean ON_DEVICE = SessionUnderTest.isDeviceComputing();

  private static final boolean CHECKS = ON_DEVICE && SessionUnderTest.isCheckingAttention();

  private static final boolean READS_PANELS =
      ON_DEVICE
          && SessionUnderTest.readsPanels(
              SessionUnderTest.kept(1, Protection.CORRECT, SessionUnderTest.computing()).session());

  /** Buffers of attention, and those that it shares with products. */
  private static final Set<ProbePoint> POINTS = ON_DEVICE ? onDevice() : onHost();

  private static Set<ProbePoint> onHost() {
    Set<ProbePoint> points = EnumSet.range(ProbePoint.KEYS_READ, ProbePoint.LOG_SUM_STORED);
    points.addAll(
        EnumSet.of(
            ProbePoint.CHECK_VECTORS_READ,
            ProbePoint.CHECK_VECTORS_LAST_USE,
            ProbePoint.CHECK_VECTORS_SEAL,
            ProbePoint.TOLERANCE_COEFFICIENTS_READ,
            ProbePoint.EVIDENCE,
            ProbePoint.TOLERANCE,
            ProbePoint.C_SEAL));
    return points;
  }

  private static Set<ProbePoint> onDevice() {
    Set<ProbePoint> points =
        EnumSet.range(ProbePoint.DEVICE_PANELS_UPLOAD, ProbePoint.LOG_SUM_DELIVERED);
    points.removeAll(EnumSet.of(ProbePoint.DEVICE_OLD_C_READ, ProbePoint.DEVICE_OLD_C_LAST_USE));
    points.addAll(
        EnumSet.of(
            ProbePoint.PACKED_B_READ,
            ProbePoint.PACKED_B_SEAL,
            ProbePoint.KEYS_LAST_USE,
            ProbePoint.KEYS_SEAL,
            ProbePoint.VALUES_LAST_USE,
            ProbePoint.VALUES_SEAL,
            ProbePoint.CHECK_VECTORS_LAST_USE,
            ProbePoint.CHECK_VECTORS_SEAL,
            ProbePoint.C_SEAL,
            ProbePoint.DEVICE_CHECKS));
    return points;
  }

  /** What is computed. */
  enum Variant {
    /** Several blocks of keys, everything sealed. */
    CAUSAL,
    /** Softcap, slopes and a mask; operands in Java arrays. */
    MASKED,
    /** Several spans of keys, and heads that share them. */
    LONG,
    /** A query over a cache that a key is appended to before every call. */
    DECODING;

    /**
     * On a device, what changes scores is computed twice, and everything else checked by sums; what
     * a CPU's work-item reads once is summed up while it is.
     */
    boolean reaches(ProbePoint point) {
      return switch (point) {
        case DEVICE_REPEATED -> this == MASKED || !CHECKS;
        case DEVICE_CHECKS -> this != MASKED && CHECKS;
        case DEVICE_B_LAST_USE -> this != DECODING || !READS_PANELS;
        case KEYS_LAST_USE, KEYS_SEAL, VALUES_LAST_USE, VALUES_SEAL -> this != DECODING;
        default -> true;
      };
    }

    AttentionCase make() {
      return switch (this) {
        case CAUSAL -> {
          var c = new AttentionCase(1, 2, 2, 150, 300, 32, 40, new Random(1));
          c.causal = true;
          yield c;
        }
        case MASKED -> {
          var c = new AttentionCase(2, 2, 1, 20, 180, 24, 24, new Random(2));
          c.softcap = 5;
          c.slopes = new float[] {0.25f, 0.0625f};
          c.randomMask(new Random(3));
          yield c;
        }
        case LONG -> new AttentionCase(1, 4, 1, 2, 2300, 64, 64, new Random(4));
        case DECODING -> new AttentionCase(1, 4, 2, 1, 300, 32, 40, new Random(7));
      };
    }
  }

  static Stream<Arguments> pointsOfVariants() {
    return Stream.of(Variant.values())
        .flatMap(v -> POINTS.stream().filter(v::reaches).map(point -> Arguments.of(v, point)));
  }

  /** What a result must be. */
  @SuppressWarnings("ArrayRecordComponent") // a pair of results; nobody compares or prints it
  private record Right(int[] out, int[] logSums) {}

  private static final Map<Variant, Right> RIGHT = new EnumMap<>(Variant.class);

  /** Operands, a result, and what it must be. */
  private static final class Subject implements AutoCloseable {
    final Arena arena = Arena.ofShared();
    final SessionUnderTest under;
    final AttentionCase c;
    final Tensor q;
    final Tensor k;
    final Tensor v;
    final Tensor out;
    final Tensor logSums;
    final AttentionOptions options;
    final int[] expected;
    final int[] expectedLogSums;
    final @Nullable KeyValueCache cache;

    Subject(Variant variant, Protection protection) {
      this(
          variant.make(),
          variant == Variant.MASKED ? Layout.HEAP : Layout.ROWS_FIRST,
          protection,
          variant == Variant.DECODING,
          RIGHT.get(variant));
      RIGHT.putIfAbsent(variant, new Right(expected, expectedLogSums));
    }

    Subject(AttentionCase attention, Layout layout, Protection protection) {
      this(attention, layout, protection, false, null);
    }

    private Subject(
        AttentionCase attention,
        Layout layout,
        Protection protection,
        boolean cached,
        @Nullable Right known) {
      under = SessionUnderTest.kept(1, protection, SessionUnderTest.computing());
      c = attention;
      q = AttentionCase.tensor(arena, c.q, layout);
      k = AttentionCase.tensor(arena, c.k, layout);
      v = AttentionCase.tensor(arena, c.v, layout);
      out = Tensor.zeros(arena, DType.FLOAT32, c.batch, c.heads, c.queries, c.columns);
      logSums = Tensor.zeros(arena, DType.FLOAT32, c.batch, c.heads, c.queries);
      options = c.options(arena).logSumExp(logSums);
      Right right = known == null ? ofTwin() : known;
      expected = right.out;
      expectedLogSums = right.logSums;
      cache = cached ? under.session().cache(c.kvHeads, c.depth, c.columns) : null;
      if (cache != null) {
        under.session().append(cache, k, v);
      }
      assertThat(attend()).isEqualTo(Status.CLEAN);
      assertThat(right()).isTrue();
    }

    /** What the scalar loop makes of it. */
    private Right ofTwin() {
      try (var twin = Regolith.open(o -> o.compute(Compute.SCALAR).protection(Protection.OFF))) {
        twin.attention(q, k, v, out, options);
      }
      return new Right(bits(out), bits(logSums));
    }

    Status attend() {
      return attend(options);
    }

    Status attend(AttentionOptions others) {
      appendTheLast();
      return attendNow(others);
    }

    private Status attendNow(AttentionOptions others) {
      under.reports().clear();
      return cache == null
          ? under.session().attention(q, k, v, out, others)
          : under.session().attention(q, List.of(cache), out, others);
    }

    Status attend(Probe.Hook hook) {
      appendTheLast();
      try (var _ = ProbeRelay.lend(hook)) {
        return attendNow(options);
      }
    }

    /** Has a page there made anew, with the same keys. */
    private void appendTheLast() {
      if (cache != null) {
        cache.truncate(c.keys - 1L);
        var session = under.session();
        session.append(cache, k.slice(2, c.keys - 1L, c.keys), v.slice(2, c.keys - 1L, c.keys));
      }
    }

    boolean right() {
      return Arrays.equals(bits(out), expected) && Arrays.equals(bits(logSums), expectedLogSums);
    }

    private static int[] bits(Tensor tensor) {
      float[] x = tensor.toArray();
      var bits = new int[x.length];
      Arrays.setAll(bits, i -> Float.floatToIntBits(x[i]));
      return bits;
    }

    @Override
    public void close() {
      if (cache != null) {
        cache.close();
      }
      arena.close();
    }
  }

  @ParameterizedTest
  @MethodSource("pointsOfVariants")
  void corrected(Variant variant, ProbePoint point) {
    var failures = new ArrayList<String>();
    try (var subject = new Subject(variant, Protection.CORRECT)) {
      var random = new SplittableRandom(point.name().hashCode());
      int turn = 0;
      for (long occurrence : occurrences(subject, point)) {
        for (UpsetKind kind : UpsetKind.ofTurn(turn++)) {
          var upset = new Upset(point, occurrence, kind, random);
          Status status = subject.attend(upset);
          boolean right = subject.right() && status != Status.DETECTED;
          if (!right || upset.reached() <= occurrence) {
            failures.add(
                "%s, occurrence %d: %s, right %s".formatted(kind, occurrence, status, right));
          }
          Status verified = subject.under.session().verify(subject.out);
          if (!subject.right() || (verified != Status.CLEAN && point != ProbePoint.C_SEAL)) {
            failures.add("%s, occurrence %d: %s afterwards".formatted(kind, occurrence, verified));
          }
        }
        // Nothing stays behind.
        Status next = subject.attend();
        if (next != Status.CLEAN || !subject.right() || !subject.under.reports().isEmpty()) {
          failures.add("after occurrence %d: %s".formatted(occurrence, next));
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("pointsOfVariants")
  void detected(Variant variant, ProbePoint point) {
    var failures = new ArrayList<String>();
    try (var subject = new Subject(variant, Protection.DETECT)) {
      var random = new SplittableRandom(point.name().hashCode());
      int turn = 0;
      for (long occurrence : occurrences(subject, point)) {
        UpsetKind kind = UpsetKind.ofTurn(turn++).getFirst();
        Status status = subject.attend(new Upset(point, occurrence, kind, random));
        int reports = subject.under.reports().size();
        boolean flagged = status == Status.DETECTED;
        if (status == Status.CORRECTED
            || !(flagged || subject.right())
            || reports != (flagged ? 1 : 0)) {
          failures.add(
              "%s, occurrence %d: %s, %d reports".formatted(kind, occurrence, status, reports));
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  /** Masks of bytes, and of strides that no seal can follow, are read once. */
  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"BOOL", "FLOAT32"})
  void masksThatCannotBeSealedMayChangeDuringTheCall(DType type) {
    var random = new Random(5);
    var c = new AttentionCase(2, 2, 1, 20, 180, 24, 24, random);
    try (var subject = new Subject(c, Layout.ROWS_FIRST, Protection.CORRECT)) {
      Tensor all = Tensor.zeros(subject.arena, type, 2, 3, 20, 180);
      var memory = all.storage().segment();
      for (long i = 0; i < all.elements(); i++) {
        if (type == DType.BOOL) {
          memory.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(2));
        } else {
          memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
      }
      AttentionOptions masked = subject.options.mask(all.slice(1, 0, 2));
      assertThat(subject.attend(masked)).isEqualTo(Status.CLEAN);
      int[] expected = Subject.bits(subject.out);
      Probe.Hook changes =
          (point, there, offset, rows, rowBytes, stride) -> {
            if (point == (ON_DEVICE ? ProbePoint.DEVICE_LAUNCH : ProbePoint.SCORES_WRITTEN)) {
              memory.fill((byte) 1);
            }
          };
      try (var _ = ProbeRelay.lend(changes)) {
        assertThat(subject.attend(masked)).isEqualTo(Status.CLEAN);
      }
      assertThat(Subject.bits(subject.out)).isEqualTo(expected);
    }
  }

  /** Rows that predict nothing are computed twice: what the second reads is verified as well. */
  @Test
  void wordsThatChangeBeforeARegionIsComputedAgain() {
    var c = new AttentionCase(1, 1, 1, 12, 200, 16, 16, new Random(6));
    c.q[0][0][3][5] = Float.NaN;
    try (var subject = new Subject(c, Layout.ROWS_FIRST, Protection.CORRECT)) {
      for (ProbePoint point :
          ON_DEVICE
              ? EnumSet.of(ProbePoint.DEVICE_A_READ, ProbePoint.DEVICE_B_READ)
              : EnumSet.of(ProbePoint.KEYS_READ, ProbePoint.VALUES_READ)) {
        var count = new Upset(point, -1, UpsetKind.BIT_0, new SplittableRandom(1));
        assertThat(subject.attend(count)).isEqualTo(Status.CLEAN);
        for (long occurrence = count.reached() / 2; occurrence < count.reached(); occurrence++) {
          subject.attend(new Upset(point, occurrence, UpsetKind.SIGN, new SplittableRandom(2)));
          assertThat(subject.right()).as("%s %d", point, occurrence).isTrue();
        }
      }
    }
  }

  /** A call that broke off in the middle (a closed arena, say) leaves nothing to the next one. */
  @ParameterizedTest
  @MethodSource("pointsOfVariants")
  void theCallAfterOneThatBrokeOffIsClean(Variant variant, ProbePoint point) {
    try (var subject = new Subject(variant, Protection.CORRECT)) {
      Probe.Hook breaksOff =
          (here, memory, offset, rows, rowBytes, stride) -> {
            if (here == point) {
              throw new IllegalCallerException("broken off");
            }
          };
      assertThatThrownBy(() -> subject.attend(breaksOff))
          .isInstanceOf(IllegalCallerException.class);
      assertThat(subject.attend()).isEqualTo(Status.CLEAN);
      assertThat(subject.right()).isTrue();
      assertThat(subject.under.reports()).isEmpty();
    }
  }

  /** Their copies are verified against them: which of the two changed, only a seal can tell. */
  @ParameterizedTest
  @EnumSource(Variant.class)
  void queriesThatNobodySealedChangeAfterTheyWereCopied(Variant variant) {
    // What lies in a Java array is read once on its way to a device.
    boolean once = ON_DEVICE && variant == Variant.MASKED;
    try (var subject = new Subject(variant, Protection.CORRECT)) {
      for (UpsetKind kind : UpsetKind.values()) {
        var upset = new Upset(ProbePoint.QUERY_SOURCE_COPIED, 1, kind, new SplittableRandom(5));
        Status expected = once ? Status.CLEAN : Status.CORRECTED;
        assertThat(subject.attend(upset)).as("%s", kind).isEqualTo(expected);
        assertThat(subject.right()).as("%s", kind).isTrue();
        assertThat(subject.attend()).as("after %s", kind).isEqualTo(Status.CLEAN);
        assertThat(subject.right()).as("after %s", kind).isTrue();
      }
    }
  }

  /** The first, the last, and some between. */
  private static Set<Long> occurrences(Subject subject, ProbePoint point) {
    var counter = new Upset(point, -1, UpsetKind.BIT_0, new SplittableRandom(1));
    assertThat(subject.attend(counter)).isEqualTo(Status.CLEAN);
    assertThat(subject.right()).isTrue();
    return counter.spread(4);
  }
}
