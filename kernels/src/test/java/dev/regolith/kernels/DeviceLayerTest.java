package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.device.DeviceTrouble;
import dev.regolith.kernels.fault.CallReport;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention whose queries a device has: it reads them there, and leaves its result there. */
@Tag("device-only")
class DeviceLayerTest {
  private static final int HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int SIZE = 32;
  private static final int WIDTH = 140;
  private static final int OF_QUERIES = HEADS * SIZE;
  private static final int OF_KEYS = KV_HEADS * SIZE;

  private final Arena arena = Arena.ofShared();
  private final TestTensors tensors = new TestTensors(arena);
  private final SplittableRandom random = new SplittableRandom(1);

  @AfterEach
  void close() {
    arena.close();
  }

  /** The attention part of a layer, as an engine has it, for new tokens of several sequences. */
  private final class Layer {
    final Session session;
    final int sequences;
    final int tokens;
    final Tensor x;
    final Tensor weight = tensors.random(2, WIDTH);
    final PackedMatrix toQ;
    final PackedMatrix toK;
    final PackedMatrix toV;
    final PackedMatrix back;
    final Rotary rotary = Rotary.of(Rotary.Convention.HALVES, arena, 400, SIZE, 10_000);
    final List<KeyValueCache> caches = new ArrayList<>();
    final Tensor h;
    final Tensor q;
    final Tensor k;
    final Tensor v;
    final Tensor context;
    final Tensor result;

    Layer(Session session, int sequences, int tokens) {
      this.session = session;
      this.sequences = sequences;
      this.tokens = tokens;
      int rows = sequences * tokens;
      x = tensors.random(1, rows, WIDTH);
      toQ = session.pack(arena, tensors.random(3, OF_QUERIES, WIDTH)).transposed();
      toK = session.pack(arena, tensors.random(4, OF_KEYS, WIDTH)).transposed();
      toV = session.pack(arena, tensors.random(5, OF_KEYS, WIDTH)).transposed();
      back = session.pack(arena, tensors.random(6, WIDTH, OF_QUERIES)).transposed();
      h = tensors.empty(rows, WIDTH);
      q = tensors.empty(rows, OF_QUERIES);
      k = tensors.empty(rows, OF_KEYS);
      v = tensors.empty(rows, OF_KEYS);
      context = tensors.empty(rows, OF_QUERIES);
      result = tensors.empty(rows, WIDTH);
      for (int s = 0; s < sequences; s++) {
        var cache = session.cache(KV_HEADS, SIZE, SIZE);
        int past = 130 + 61 * s;
        session.append(
            cache,
            tensors.random(7 + s, 1, past, OF_KEYS),
            tensors.random(17 + s, 1, past, OF_KEYS));
        caches.add(cache);
      }
    }

    /** What the steps said, one after the other. */
    List<Status> run() {
      var said = new ArrayList<Status>();
      said.add(session.rmsNorm(x, weight, 1e-5f, h));
      said.add(session.gemm(h, toQ, q));
      said.add(session.gemm(h, toK, k));
      said.add(session.gemm(h, toV, v));
      Tensor heads = TestTensors.view(q, sequences, tokens, HEADS, SIZE);
      said.add(session.ropeOfHeads(heads, rotary, 130, heads));
      for (int s = 0; s < sequences; s++) {
        Tensor ofK = TestTensors.view(k, sequences, tokens, OF_KEYS).slice(0, s, s + 1);
        Tensor ofV = TestTensors.view(v, sequences, tokens, OF_KEYS).slice(0, s, s + 1);
        caches.get(s).truncate(130 + 61 * s);
        said.add(session.append(caches.get(s), ofK, ofV));
      }
      said.add(attend());
      said.add(session.gemm(context, back, result));
      said.add(session.add(x, result, result));
      return said;
    }

    Status attend() {
      return session.attention(
          TestTensors.view(q, sequences, tokens, OF_QUERIES),
          caches,
          TestTensors.view(context, sequences, tokens, OF_QUERIES),
          AttentionOptions.defaults().heads(HEADS, KV_HEADS).causal());
    }

    List<Status> strike(Probe.Hook hook) {
      try (var _ = ProbeRelay.lend(hook)) {
        return run();
      }
    }
  }

  private float[] expected(int sequences, int tokens) {
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    var layer = new Layer(scalar, sequences, tokens);
    layer.run();
    return layer.result.toArray();
  }

  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void bitsOfTheHost(DeviceWay way) {
    for (int[] shape : new int[][] {{1, 61}, {3, 1}, {2, 30}}) {
      float[] expected = expected(shape[0], shape[1]);
      try (var under = way.open(2)) {
        var layer = new Layer(under.session(), shape[0], shape[1]);
        assertThat(under.session().upload(layer.x)).isTrue();
        for (int round = 0; round < 3; round++) {
          var counts = new ProbeCounts();
          assertThat(layer.strike(counts)).containsOnly(Status.CLEAN);
          if (way.stays()) {
            // Keys and values come here to be appended, and one row to be computed here as well.
            long sampled = counts.of(ProbePoint.DEVICE_DOWNLOAD) - 2;
            assertThat(sampled).isBetween(0L, 2L * KV_HEADS * shape[0]);
          }
          assertThat(TestTensors.same(expected, layer.result)).isTrue();
        }
        assertThat(under.reports()).isEmpty();
      }
    }
  }

  /** Queries are not copied there, nor is the result copied back. */
  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void nothingMoves(DeviceWay way) {
    try (var under = way.open(2)) {
      var session = under.session();
      var q = tensors.random(1, 1, HEADS, 200, SIZE);
      var k = tensors.random(2, 1, KV_HEADS, 300, SIZE);
      var out = tensors.empty(1, HEADS, 200, SIZE);
      var options = AttentionOptions.defaults().causal();
      session.attention(q, k, k, out, options);
      float[] expected = out.toArray();
      session.upload(q);
      var counts = new ProbeCounts();
      var next = tensors.empty(1, HEADS, 200, SIZE);
      try (var _ = ProbeRelay.lend(counts)) {
        assertThat(session.attention(q, k, k, next, options)).isEqualTo(Status.CLEAN);
      }
      assertThat(counts.of(ProbePoint.QUERY_SOURCE_READ)).isZero();
      assertThat(counts.of(ProbePoint.RESULT_DELIVERED)).isZero();
      assertThat(counts.of(ProbePoint.DEVICE_DOWNLOAD)).isLessThanOrEqualTo(2L * KV_HEADS);
      assertThat(session.add(next, next, next)).as("in place, there").isEqualTo(Status.CLEAN);
      for (int i = 0; i < expected.length; i++) {
        expected[i] += expected[i];
      }
      assertThat(TestTensors.same(expected, next)).isTrue();
      assertThat(next.isSealed()).isEqualTo(way != DeviceWay.OFF);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Layouts, heads within rows and the other way round, into results of either. */
  @ParameterizedTest
  @CsvSource({
    "2,false,false",
    "2,false,true",
    "2,true,false",
    "2,true,true",
    "1,false,true",
    "1,true,false",
    "1,true,true"
  })
  void layouts(int batch, boolean queriesWithin, boolean resultWithin) {
    int rows = 70;
    var plain = tensors.random(1, batch, HEADS, rows, SIZE);
    var k = tensors.random(2, batch, KV_HEADS, 90, SIZE);
    var options =
        AttentionOptions.defaults()
            .queryLengths(Arrays.copyOf(new long[] {57, 33}, batch))
            .softcap(3);
    float[] expected;
    try (var scalar = SessionUnderTest.open(o -> o.compute(Compute.SCALAR).threads(1))) {
      var out = tensors.empty(batch, HEADS, rows, SIZE);
      scalar.session().attention(plain, k, k, out, options);
      expected = out.toArray();
    }
    long[] within = {(long) rows * HEADS * SIZE, SIZE, (long) HEADS * SIZE, 1};
    long[] shape = {batch, HEADS, rows, SIZE};
    float[] turned = new float[expected.length];
    try (var under = DeviceWay.CORRECT.open(3)) {
      var session = under.session();
      var q = plain;
      if (queriesWithin) {
        var values = new float[expected.length];
        turn(plain.toArray(), values, batch, rows);
        q = Tensor.of(arena, values, values.length).strided(0, shape, within);
      }
      session.upload(q);
      var memory = tensors.empty((long) batch * rows, OF_QUERIES);
      var out = resultWithin ? memory.strided(0, shape, within) : tensors.empty(shape);
      var counts = new ProbeCounts();
      try (var _ = ProbeRelay.lend(counts)) {
        assertThat(session.attention(q, k, k, out, options)).isEqualTo(Status.CLEAN);
      }
      assertThat(counts.of(ProbePoint.RESULT_DELIVERED)).isZero();
      turn(expected, turned, batch, rows);
      if (resultWithin) {
        assertThat(memory.isSealed()).as("cut as products read it").isTrue();
        assertThat(TestTensors.same(turned, memory)).isTrue();
      } else {
        assertThat(TestTensors.same(expected, out)).isTrue();
      }
    }
  }

  private static void turn(float[] from, float[] to, int batch, int rows) {
    for (int b = 0; b < batch; b++) {
      for (int h = 0; h < HEADS; h++) {
        for (int r = 0; r < rows; r++) {
          int source = ((b * HEADS + h) * rows + r) * SIZE;
          System.arraycopy(from, source, to, ((b * rows + r) * HEADS + h) * SIZE, SIZE);
        }
      }
    }
  }

  /** What cannot stay comes here: parts of tensors, results that somebody sees, logarithms. */
  @Test
  void whatComesHere() {
    try (var under = DeviceWay.CORRECT.open(1)) {
      var session = under.session();
      var q = tensors.random(1, 1, HEADS, 40, SIZE);
      var k = tensors.random(2, 1, KV_HEADS, 50, SIZE);
      var options = AttentionOptions.defaults();
      var expected = tensors.empty(1, HEADS, 40, SIZE);
      session.attention(q, k, k, expected, options);
      session.upload(q);
      var seen = tensors.empty(1, HEADS, 40, SIZE);
      seen.segment();
      session.attention(q, k, k, seen, options);
      var larger = tensors.empty(2, HEADS, 40, SIZE);
      session.attention(q, k, k, larger.slice(0, 1, 2), options);
      var withLogarithms = tensors.empty(1, HEADS, 40, SIZE);
      var logarithms = tensors.empty(1, HEADS, 40);
      session.attention(q, k, k, withLogarithms, options.logSumExp(logarithms));
      var none = tensors.empty(1, HEADS, 0, SIZE);
      var zeros = tensors.random(3, 1, HEADS, 40, SIZE);
      session.attention(q, none.slice(1, 0, 2), none.slice(1, 0, 2), zeros, options);
      assertThat(TestTensors.same(expected.toArray(), seen)).isTrue();
      assertThat(TestTensors.same(expected.toArray(), larger.slice(0, 1, 2))).isTrue();
      assertThat(TestTensors.same(expected.toArray(), withLogarithms)).isTrue();
      assertThat(logarithms.toArray()).doesNotContain(0);
      assertThat(zeros.toArray()).containsOnly(0);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Words changed and commands lost anywhere in the layer. */
  @ParameterizedTest
  @EnumSource(value = DeviceWay.class, names = "CORRECT.*", mode = EnumSource.Mode.MATCH_ALL)
  void faultsInTheLayer(DeviceWay way) {
    var points =
        Stream.of(
                ProbePoint.DEVICE_A_READ,
                ProbePoint.DEVICE_A_LAST_USE,
                ProbePoint.DEVICE_B_READ,
                ProbePoint.DEVICE_B_LAST_USE,
                ProbePoint.DEVICE_C_KEPT,
                ProbePoint.DEVICE_QUERIES,
                ProbePoint.DEVICE_SPANS,
                ProbePoint.DEVICE_REPEATED,
                ProbePoint.DEVICE_CHECKS,
                ProbePoint.DEVICE_SUMS,
                ProbePoint.DEVICE_LAUNCH,
                ProbePoint.DEVICE_EVIDENCE,
                ProbePoint.DEVICE_UPLOAD,
                ProbePoint.DEVICE_PANELS_UPLOAD,
                ProbePoint.DEVICE_DOWNLOAD,
                ProbePoint.ROW_INPUT_LAST_USE,
                ProbePoint.ROW_STORED,
                ProbePoint.OPERAND_SEAL,
                ProbePoint.C_SEAL)
            .filter(point ->
                point != ProbePoint.DEVICE_CHECKS || SessionUnderTest.isCheckingAttention())
            .toList();
    float[] expected = expected(2, 30);
    var failures = new ArrayList<String>();
    var kinds = List.of(UpsetKind.values());
    int turn = 0;
    try (var under = way.open(1)) {
      var layer = new Layer(under.session(), 2, 30);
      for (ProbePoint point : points) {
        under.session().upload(layer.x);
        var counter = new Upset(point, -1, UpsetKind.BIT_0, random);
        layer.strike(counter);
        for (long occurrence : counter.spread(4)) {
          under.reports().clear();
          under.session().upload(layer.x);
          var upset = new Upset(point, occurrence, kinds.get(turn++ % kinds.size()), random);
          List<Status> said = layer.strike(upset);
          boolean right = TestTensors.same(expected, layer.result);
          boolean noticed = said.contains(Status.CORRECTED);
          if (!right || said.contains(Status.DETECTED) || (noticed && under.reports().isEmpty())) {
            failures.add("%s at %d: %s, %s".formatted(point, occurrence, said, right));
          }
          if (layer.run().contains(Status.DETECTED) || !TestTensors.same(expected, layer.result)) {
            failures.add("left behind by %s at %d".formatted(point, occurrence));
          }
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  /** Every moment of one attention: each fault is noticed, put right, and leaves nothing. */
  @ParameterizedTest
  @EnumSource(
      value = ProbePoint.class,
      names = {
        "DEVICE_A_LAST_USE",
        "DEVICE_C_KEPT",
        "DEVICE_QUERIES",
        "DEVICE_SPANS",
        "DEVICE_REPEATED",
        "DEVICE_CHECKS",
        "OPERAND_SEAL",
        "DEVICE_LAUNCH",
        "DEVICE_EVIDENCE",
        "DEVICE_SUMS"
      })
  void everyMoment(ProbePoint point) {
    boolean left = point == ProbePoint.DEVICE_CHECKS && !SessionUnderTest.isCheckingAttention();
    assumeFalse(left, "attention is computed twice");
    try (var under = DeviceWay.CORRECT.open(1)) {
      var layer = new Layer(under.session(), 1, 61);
      layer.run();
      float[] expected = layer.context.toArray();
      var counter = new Upset(point, -1, UpsetKind.BIT_0, random);
      under.session().upload(layer.q);
      try (var _ = ProbeRelay.lend(counter)) {
        layer.attend();
      }
      assertThat(counter.reached()).isPositive();
      UpsetKind[] kinds = {UpsetKind.SIGN, UpsetKind.BIT_30, UpsetKind.SCRAMBLED};
      for (int at = 0; at < counter.reached(); at++) {
        UpsetKind kind = kinds[at % kinds.length];
        under.session().upload(layer.q);
        var upset = new Upset(point, at, kind, random);
        try (var _ = ProbeRelay.lend(upset)) {
          layer.attend();
        }
        assertThat(upset.changed()).isTrue();
        assertThat(TestTensors.same(expected, layer.context)).as("%s at %d", kind, at).isTrue();
        assertThat(layer.attend()).as("after %s at %d", kind, at).isEqualTo(Status.CLEAN);
      }
      assertThat(under.reports()).isNotEmpty();
    }
  }

  /** A session that only detects says so, and has the right result nevertheless. */
  @Test
  void detected() {
    try (var under = DeviceWay.DETECT.open(1)) {
      var layer = new Layer(under.session(), 1, 61);
      under.session().upload(layer.x);
      layer.run();
      float[] expected = layer.context.toArray();
      for (ProbePoint point : List.of(ProbePoint.DEVICE_SPANS, ProbePoint.DEVICE_A_LAST_USE)) {
        under.session().upload(layer.q);
        var upset = new Upset(point, 0, UpsetKind.BIT_22, random);
        try (var _ = ProbeRelay.lend(upset)) {
          assertThat(layer.attend()).isEqualTo(Status.DETECTED);
        }
        assertThat(TestTensors.same(expected, layer.context)).isTrue();
        layer.run();
      }
    }
  }

  /** A device that fails in the middle leaves queries and the old result as they were. */
  @Test
  void failuresOfTheDevice() {
    try (var under = DeviceWay.CORRECT.open(1)) {
      var layer = new Layer(under.session(), 1, 61);
      layer.run();
      float[] expected = layer.context.toArray();
      var counter = new Upset(ProbePoint.DEVICE_EVIDENCE, -1, UpsetKind.BIT_0, random);
      under.session().upload(layer.q);
      try (var _ = ProbeRelay.lend(counter)) {
        layer.attend();
      }
      for (int failing = 0; failing < counter.reached(); failing++) {
        under.session().upload(layer.q);
        var left = new AtomicInteger(failing);
        Probe.Hook hook =
            (point, memory, offset, rows, rowBytes, stride) -> {
              if (point == ProbePoint.DEVICE_EVIDENCE && left.getAndDecrement() == 0) {
                throw DeviceTrouble.outOfMemory();
              }
            };
        try (var _ = ProbeRelay.lend(hook)) {
          assertThat(layer.attend()).isEqualTo(Status.CLEAN);
        }
        assertThat(TestTensors.same(expected, layer.context)).isTrue();
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  @Test
  void callsAreReported() {
    try (var under = DeviceWay.CORRECT_THERE.open(2)) {
      var layer = new Layer(under.session(), 1, 61);
      under.session().upload(layer.x);
      under.calls().clear();
      layer.run();
      assertThat(under.calls())
          .contains(new CallReport("attention", Status.CLEAN, EvidenceLevel.DEVICE))
          .allSatisfy(call -> assertThat(call.status()).isEqualTo(Status.CLEAN));
    }
  }

  /** Matrices that are turned within their memory: the same words, which rows do not follow. */
  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void turnedHeads(DeviceWay way) {
    int rows = 40;
    var turned = tensors.random(1, 1, HEADS, SIZE, rows);
    var k = tensors.random(2, 1, KV_HEADS, 50, SIZE);
    var options = AttentionOptions.defaults();
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    var expected = tensors.empty(1, HEADS, rows, SIZE);
    scalar.attention(turned.transposed(), k, k, expected, options);
    try (var under = way.open(2)) {
      var session = under.session();
      var plain = tensors.empty(1, HEADS, rows, SIZE);
      session.upload(turned);
      assertThat(session.attention(turned.transposed(), k, k, plain, options))
          .isEqualTo(Status.CLEAN);
      assertThat(TestTensors.same(expected.toArray(), plain)).isTrue();
      var q = Tensor.of(arena, turned.transposed().toArray(), 1, HEADS, rows, SIZE);
      session.upload(q);
      var out = tensors.empty(1, HEADS, SIZE, rows);
      assertThat(session.attention(q, k, k, out.transposed(), options)).isEqualTo(Status.CLEAN);
      assertThat(TestTensors.same(expected.toArray(), out.transposed())).isTrue();
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Values of another size than queries, windows, masks: all of it there. */
  @Test
  void variants() {
    int rows = 37;
    var q = tensors.random(1, 2, HEADS, rows, SIZE);
    var k = tensors.random(2, 2, KV_HEADS, 90, SIZE);
    var v = tensors.random(3, 2, KV_HEADS, 90, 24);
    var mask = tensors.random(4, rows, 90);
    var plain = AttentionOptions.defaults();
    var all =
        List.of(
            plain.window(20, 5),
            plain.mask(mask),
            plain.causal().slopes(0.5f, 0.25f, 0.125f, 0.0625f),
            plain.keyLengths(new long[] {90, 1}));
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    try (var under = DeviceWay.CORRECT.open(2)) {
      var session = under.session();
      for (AttentionOptions options : all) {
        var expected = tensors.empty(2, HEADS, rows, 24);
        scalar.attention(q, k, v, expected, options);
        session.upload(q);
        var out = tensors.empty(2, HEADS, rows, 24);
        var counts = new ProbeCounts();
        try (var _ = ProbeRelay.lend(counts)) {
          assertThat(session.attention(q, k, v, out, options)).isEqualTo(Status.CLEAN);
        }
        assertThat(counts.of(ProbePoint.RESULT_DELIVERED)).isZero();
        assertThat(TestTensors.same(expected.toArray(), out)).isTrue();
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  /** A page with wrong words that cannot be put back, and nobody says that they were. */
  @Test
  void aPageBeyondRepair() {
    for (int page = 0; page < 2; page++) {
      try (var under = DeviceWay.CORRECT.open(1)) {
        var layer = new Layer(under.session(), 1, 61);
        layer.run();
        var cache = layer.caches.getFirst();
        var more = tensors.random(7, 1, 300, OF_KEYS);
        under.session().append(cache, more, more);
        under.session().upload(layer.q);
        assertThat(layer.attend()).isEqualTo(Status.CLEAN);
        MemorySegment panels = cache.pages().values(page).panels();
        for (int word = 0; word < 3; word++) {
          panels.setAtIndex(ValueLayout.JAVA_INT, 5 + 7L * word, 12345 * word);
        }
        under.session().upload(layer.q);
        boolean noticed = false;
        for (int call = 0; call < cache.pages().pages() && !noticed; call++) {
          try {
            assertThat(layer.attend()).isEqualTo(Status.CLEAN);
          } catch (UncorrectableFaultException e) {
            noticed = true;
          }
        }
        assertThat(noticed).isTrue();
        assertThat(layer.context.toArray()).containsOnly(Float.NaN);
      }
    }
  }
}
