package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a device's attention is checked with, where it is computed once. */
@Tag("device-only")
class DeviceAttentionChecksTest extends DeviceAttentionCase {
  @BeforeEach
  void requireChecks() {
    assumeTrue(SessionUnderTest.isCheckingAttention(), "attention is computed twice");
  }

  /** Where scores are changed on their way to the softmax, everything twice. */
  @Test
  void whatIsComputedTwice() {
    var capped = AttentionOptions.defaults().causal().softcap(30);
    try (var under = open(1)) {
      var session = under.session();
      int once = count(ProbePoint.DEVICE_REPEATED, () -> assertRight(session, Status.CLEAN));
      assertThat(once).isZero();
      int twice =
          count(
              ProbePoint.DEVICE_REPEATED,
              () -> assertThat(session.attention(q, k, v, out, capped)).isEqualTo(Status.CLEAN));
      assertThat(twice).isPositive();
    }
  }

  /** Keys and values that are not finite predict nothing: the region is computed twice. */
  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void whatPredictsNothing(float strange) {
    for (boolean inKeys : new boolean[] {true, false}) {
      float[] words = (inKeys ? k : v).toArray();
      words[words.length / 2] = strange;
      Tensor of = Tensor.of(arena, words, (inKeys ? k : v).shape());
      int[] right = scalarBits(inKeys ? of : k, inKeys ? v : of, 140, out);
      try (var under = open(1)) {
        var session = under.session();
        int repeated =
            count(
                ProbePoint.DEVICE_REPEATED,
                () -> session.attention(q, inKeys ? of : k, inKeys ? v : of, out, options));
        assertThat(repeated).isPositive();
        assertThat(bits(out)).isEqualTo(right);
        assertThat(under.reports()).isEmpty();
      }
    }
  }

  /** Lengths of vectors do not leave the range of a float where their squares do. */
  @ParameterizedTest
  @ValueSource(floats = {1e-36f, 1e-30f, 1e-20f, 1e15f, 1e25f, 1e35f})
  void numbersOfAnySize(float size) {
    float[] keys = k.toArray();
    float[] queries = q.toArray();
    float[] values = v.toArray();
    for (int i = 0; i < keys.length; i++) {
      keys[i] *= size;
    }
    for (int i = 0; i < queries.length; i++) {
      queries[i] /= size;
    }
    for (int i = 0; i < values.length; i++) {
      values[i] *= size;
    }
    Tensor largeK = Tensor.of(arena, keys, k.shape());
    Tensor largeV = Tensor.of(arena, values, v.shape());
    Tensor smallQ = Tensor.of(arena, queries, q.shape());
    int[] right = scalarBits(smallQ, largeK, largeV, out, options);
    try (var under = open(1)) {
      var session = under.session();
      int repeated =
          count(
              ProbePoint.DEVICE_REPEATED,
              () -> session.attention(smallQ, largeK, largeV, out, options));
      assertThat(repeated).isZero();
      assertThat(bits(out)).isEqualTo(right);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Steps of a kernel, and head sizes for which they go wrong, which the choice does not try. */
  private static final Map<String, Integer> STEPS =
      Map.of(
          "own[i] * scale", 36, // scaled queries
          "exponentials(score - references)", 37, // weights
          "SPLAT(reference)", 42, // what exponents are taken relative to
          "decay_of(max_of[r], max)", 38,
          "fma(sum_of[r], decay[r], own[0])", 39, // the sum of weights
          "acc[t][i][j] = sum[i][j]", 41, // weighted values
          "own[c] / sum + 0.0f", 35);

  /** Every step has a check that sees it go wrong a little, in one kernel, always. */
  @Test
  void everyStepIsChecked(@TempDir Path folder) throws IOException {
    var steps = new HashMap<>(STEPS);
    for (String name : List.of("attention.c", "attention-spans.c", "attention-merge.c")) {
      String source = Files.readString(Path.of("..", "native", "device", name));
      for (var step : STEPS.entrySet()) {
        if (source.contains(step.getKey())) {
          String wrong = "(columns == %d ? 0.9999f : 1.0f) * ".formatted(step.getValue());
          int at = step.getKey().indexOf('=') + 1;
          String patched = step.getKey().substring(0, at) + wrong + step.getKey().substring(at);
          source = source.replace(step.getKey(), patched);
          steps.remove(step.getKey());
        }
      }
      write(folder, name, source.replace("(columns == 36", "(depth == 36"));
    }
    assertThat(steps).isEmpty();
    String property = "dev.regolith.kernels.sources";
    System.setProperty(property, folder.toString());
    try {
      try (var under = open(1)) {
        assertThat(under.session().backend()).contains("attention");
        for (int size : new int[] {36, 37, 38, 39, 41, 42, 35, 33}) {
          var odd = new AttentionCase(1, 2, 2, 150, 400, size, size, new Random(4));
          Tensor oddQ = AttentionCase.tensor(arena, odd.q, Layout.HEADS_FIRST);
          Tensor oddK = AttentionCase.tensor(arena, odd.k, Layout.HEADS_FIRST);
          Tensor oddV = AttentionCase.tensor(arena, odd.v, Layout.HEADS_FIRST);
          Tensor result = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 150, size);
          int[] right = scalarBits(oddQ, oddK, oddV, result, options);
          under.reports().clear();
          assertThat(under.session().attention(oddQ, oddK, oddV, result, options))
              .as("head size %d", size)
              .isEqualTo(size == 33 ? Status.CLEAN : Status.CORRECTED);
          assertThat(bits(result)).isEqualTo(right);
          assertThat(under.reports()).hasSize(size == 33 ? 0 : 1);
        }
      }
    } finally {
      System.clearProperty(property);
    }
  }

  /** A query of each head over a cache of three pages. */
  private final class Decoding implements AutoCloseable {
    final SessionUnderTest under = open(1);
    final KeyValueCache cache = under.session().cache(2, 40, 24);
    final Tensor one = q.slice(2, 139, 140);
    final Tensor row = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 1, 24);

    Decoding() {
      append(0, 300);
    }

    void append(long from, long to) {
      under.session().append(cache, k.slice(2, from, to), v.slice(2, from, to));
    }

    Status attend() {
      return under.session().attention(one, List.of(cache), row, options);
    }

    /** Whether the result is that of the keys that there are. */
    void assertRight() {
      long keys = cache.length();
      int[] found = bits(row);
      assertThat(found)
          .isEqualTo(scalarBits(one, k.slice(2, 0, keys), v.slice(2, 0, keys), row, options));
    }

    /** The check vectors that a call reads: of keys, of values, and the same of the other head. */
    List<int[]> checkVectors() {
      var seen = new ArrayList<int[]>();
      Probe.Hook listener =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_CHECKS && seen.size() < 4) {
              seen.add(memory.asSlice(offset, rowBytes).toArray(ValueLayout.JAVA_INT_UNALIGNED));
            }
          };
      try (var _ = ProbeRelay.lend(listener)) {
        assertThat(attend()).isEqualTo(Status.CLEAN);
      }
      assertRight();
      assertThat(seen).hasSize(4);
      return seen;
    }

    @Override
    public void close() {
      cache.close();
    }
  }

  /** Beside a cache's pages, check vectors stay, and follow what becomes of the pages. */
  @Test
  void checkVectorsStay() {
    try (var decoding = new Decoding()) {
      int first = count(ProbePoint.DEVICE_EVIDENCE, decoding::attend);
      List<int[]> right = decoding.checkVectors();
      int later = count(ProbePoint.DEVICE_EVIDENCE, decoding::attend);
      assertThat(first - later).isEqualTo(2); // kernels: of keys, and of values
      decoding.cache.truncate(290);
      List<int[]> fewer = decoding.checkVectors();
      for (int i = 0; i < 4; i++) {
        int ofPages = right.get(i).length / 3 * 2;
        assertThat(fewer.get(i)).startsWith(Arrays.copyOf(right.get(i), ofPages));
        assertThat(fewer.get(i)).isNotEqualTo(right.get(i));
      }
      decoding.append(290, 300);
      assertThat(decoding.checkVectors()).usingRecursiveComparison().isEqualTo(right);
    }
  }

  /** Whatever is changed of check vectors that lie there says so, and they are made anew. */
  @ParameterizedTest
  @EnumSource(UpsetKind.class)
  void damagedCheckVectors(UpsetKind kind) {
    try (var decoding = new Decoding()) {
      List<int[]> right = decoding.checkVectors();
      for (int which = 0; which < 4; which++) {
        boolean ofKeys = which % 2 == 0;
        int entry = right.get(which).length / 3;
        int words = ofKeys ? 40 + 2 : 128 + 5; // the bounds are near the end, the sum is the last
        for (int word : new int[] {5, words - 3, words - 2, words - 1}) {
          decoding.under.reports().clear();
          var strike = Upset.ofWord(ProbePoint.DEVICE_CHECKS, which, kind, entry + word);
          Status status;
          try (var _ = ProbeRelay.lend(strike)) {
            status = decoding.attend();
          }
          String name = "%s of word %d of %d".formatted(kind, word, which);
          assertThat(status).as(name).isEqualTo(strike.changed() ? Status.CORRECTED : Status.CLEAN);
          decoding.assertRight();
          assertThat(decoding.checkVectors()).usingRecursiveComparison().isEqualTo(right);
        }
      }
    }
  }

  /** Check vectors of pages as they were before keys were appended are not taken for new ones. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1}) // of keys, of values
  void staleCheckVectors(int kernel) {
    try (var decoding = new Decoding()) {
      decoding.cache.truncate(200);
      assertThat(decoding.attend()).isEqualTo(Status.CLEAN);
      decoding.append(200, 250);
      var lost = new Upset(ProbePoint.DEVICE_EVIDENCE, kernel, word -> word ^ 1, new Random(1));
      try (var _ = ProbeRelay.lend(lost)) {
        assertThat(decoding.attend()).isEqualTo(Status.CORRECTED);
      }
      decoding.assertRight();
      assertThat(decoding.attend()).isEqualTo(Status.CLEAN);
      assertThat(decoding.under.reports()).hasSize(1);
    }
  }

  /** Regions of one head, which threads with queues of their own compute, share its vectors. */
  @Test
  void threadsThatShareCheckVectors() {
    var many = new AttentionCase(1, 2, 1, 1700, 300, 16, 16, new Random(3));
    Tensor manyQ = AttentionCase.tensor(arena, many.q, Layout.HEADS_FIRST);
    Tensor manyK = AttentionCase.tensor(arena, many.k, Layout.HEADS_FIRST);
    Tensor manyV = AttentionCase.tensor(arena, many.v, Layout.HEADS_FIRST);
    Tensor right = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 1700, 16);
    Tensor result = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 1700, 16);
    var all = AttentionOptions.defaults();
    try (var host = Regolith.open(o -> o.compute(Compute.VECTOR))) {
      host.attention(manyQ, manyK, manyV, right, all);
    }
    try (var under = open(4);
        var cache = under.session().cache(1, 16, 16)) {
      var session = under.session();
      for (int from = 0; from < 300; from += 50) {
        session.append(cache, manyK.slice(2, from, from + 50), manyV.slice(2, from, from + 50));
        Status status = session.attention(manyQ, List.of(cache), result, all);
        assertThat(status).isEqualTo(Status.CLEAN);
      }
      assertThat(bits(result)).isEqualTo(bits(right));
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Keys and values of a token are read once, and summed up meanwhile: in several spans. */
  @Test
  void whatIsReadOnceInSeveralSpans() {
    var many = new AttentionCase(1, 2, 1, 1, 2300, 24, 40, new Random(4));
    Tensor oneQ = AttentionCase.tensor(arena, many.q, Layout.HEADS_FIRST);
    Tensor manyK = AttentionCase.tensor(arena, many.k, Layout.HEADS_FIRST);
    Tensor manyV = AttentionCase.tensor(arena, many.v, Layout.HEADS_FIRST);
    Tensor row = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 1, 40);
    int[] right = scalarBits(oneQ, manyK, manyV, row, options);
    try (var under = open(1);
        var cache = under.session().cache(1, 24, 40)) {
      var session = under.session();
      session.append(cache, manyK, manyV);
      assertReadOnceAndSealed(
          under, () -> session.attention(oneQ, List.of(cache), row, options), row, right, 2);
      // Without that kernel, what was found is of an earlier call, and no panel is to blame.
      under.reports().clear();
      var lost = new Upset(ProbePoint.DEVICE_LAUNCH, 1, word -> word ^ 1, new Random(1));
      var mended = new AtomicInteger();
      Probe.Hook both =
          (point, memory, offset, rows, rowBytes, stride) -> {
            lost.reached(point, memory, offset, rows, rowBytes, stride);
            mended.addAndGet(point == ProbePoint.DEVICE_PANELS_UPLOAD ? 1 : 0);
          };
      try (var _ = ProbeRelay.lend(both)) {
        assertThat(session.attention(oneQ, List.of(cache), row, options))
            .isEqualTo(Status.CORRECTED);
      }
      assertThat(mended.get()).isZero();
      assertThat(bits(row)).isEqualTo(right);
      assertThat(under.reports()).hasSize(1);
    }
  }

  /** Keys and values of a token are read once, and summed up meanwhile; also what is hidden. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsReadOnceIsSealed(boolean hidden) {
    float[] values = v.toArray();
    if (hidden) {
      values[150 * 24 + 3] = Float.NaN; // behind the window, in the first page that is seen
    }
    Tensor strange = Tensor.of(arena, values, v.shape());
    var window = options.window(100, 0);
    Tensor one = q.slice(2, 139, 140);
    Tensor row = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 1, 24);
    int[] right = scalarBits(one, k, strange, row, window);
    assertThat(row.toArray()).doesNotContain(Float.NaN);
    try (var under = open(1);
        var cache = under.session().cache(2, 40, 24)) {
      var session = under.session();
      session.append(cache, k, strange);
      assertReadOnceAndSealed(
          under, () -> session.attention(one, List.of(cache), row, window), row, right, 4);
    }
  }

  /**
   * Whether a call reads keys and values once, if its device has a kernel for that, and notices
   * whatever is changed of them.
   *
   * @param operands keys of a head, and values of a head, count one each
   */
  private static void assertReadOnceAndSealed(
      SessionUnderTest under, Supplier<Status> call, Tensor row, int[] right, int operands) {
    int readAgain =
        count(ProbePoint.DEVICE_B_LAST_USE, () -> assertThat(call.get()).isEqualTo(Status.CLEAN));
    assertThat(readAgain == 0).isEqualTo(SessionUnderTest.readsPanels(under.session()));
    assertThat(bits(row)).isEqualTo(right);
    assertThat(under.reports()).isEmpty();
    var random = new Random(5);
    for (int i = 0; i < operands; i++) {
      for (UpsetKind kind : UpsetKind.values()) {
        var upset = new Upset(ProbePoint.DEVICE_B_READ, i, kind, random);
        try (var _ = ProbeRelay.lend(upset)) {
          Status status = call.get();
          assertThat(status).isEqualTo(upset.changed() ? Status.CORRECTED : Status.CLEAN);
        }
        assertThat(bits(row)).isEqualTo(right);
        assertThat(call.get()).isEqualTo(Status.CLEAN);
      }
    }
  }
}
