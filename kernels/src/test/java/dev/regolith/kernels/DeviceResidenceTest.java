package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.device.DeviceTrouble;
import dev.regolith.kernels.fault.CallReport;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A chain of products and row operators whose tensors stay on the device from one to the next. */
@Tag("device-only")
class DeviceResidenceTest {
  private static final Compute DEVICE = SessionUnderTest.accelerator();
  private static final int TOKENS = 61;
  private static final int WIDTH = 140;
  private static final int HIDDEN = 700;

  private final Arena arena = Arena.ofShared();
  private final TestTensors tensors = new TestTensors(arena);
  private final SplittableRandom random = new SplittableRandom(1);
  private final Tensor x = tensors.random(1, TOKENS, WIDTH);
  private final Tensor weight = tensors.random(2, WIDTH);
  private final Tensor gate = tensors.random(3, HIDDEN, WIDTH);
  private final Tensor up = tensors.random(4, HIDDEN, WIDTH);
  private final Tensor down = tensors.random(5, WIDTH, HIDDEN);

  @AfterEach
  void close() {
    arena.close();
  }

  /**
   * The feed-forward part of a layer, as an engine has it: nothing but calls, one after another.
   */
  private final class FeedForward {
    final Session session;
    final PackedMatrix packedGate;
    final PackedMatrix packedUp;
    final PackedMatrix packedDown;
    final Tensor normed = tensors.empty(TOKENS, WIDTH);
    final Tensor gated = tensors.empty(TOKENS, HIDDEN);
    final Tensor raised = tensors.empty(TOKENS, HIDDEN);
    final Tensor result = tensors.empty(TOKENS, WIDTH);

    FeedForward(Session session) {
      this.session = session;
      packedGate = session.pack(arena, gate).transposed();
      packedUp = session.pack(arena, up).transposed();
      packedDown = session.pack(arena, down).transposed();
    }

    /** What the steps said, one after the other. */
    List<Status> run() {
      var said = new ArrayList<Status>();
      said.add(session.rmsNorm(x, weight, 1e-5f, normed));
      said.add(session.gemm(normed, packedGate, gated));
      said.add(session.gemm(normed, packedUp, raised));
      said.add(session.activate(Activation.SILU, gated, raised, gated));
      said.add(session.gemm(gated, packedDown, result));
      said.add(session.add(result, x, result));
      return said;
    }
  }

  private float[] expected() {
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    var chain = new FeedForward(scalar);
    chain.run();
    return chain.result.toArray();
  }

  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void bitsOfTheHost(DeviceWay way) {
    float[] expected = expected();
    try (var under = way.open(2)) {
      var chain = new FeedForward(under.session());
      for (int round = 0; round < 3; round++) {
        var counts = new ProbeCounts();
        under.session().upload(x);
        try (var _ = ProbeRelay.lend(counts)) {
          assertThat(chain.run()).containsOnly(Status.CLEAN);
        }
        // Of operands, nothing goes there after the first round but what packing needs once.
        if (round > 0) {
          assertThat(counts.of(ProbePoint.DEVICE_UPLOAD)).isZero();
          assertThat(counts.of(ProbePoint.DEVICE_PANELS_UPLOAD)).isZero();
        }
        long downloads = counts.of(ProbePoint.DEVICE_DOWNLOAD);
        if (way.stays()) {
          assertThat(downloads).isZero();
        }
        assertThat(ReferenceGemm.firstDifference(expected, chain.result.toArray())).isEqualTo(-1);
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Words changed and commands lost anywhere in the chain. */
  @ParameterizedTest
  @EnumSource(value = DeviceWay.class, names = "CORRECT.*", mode = EnumSource.Mode.MATCH_ALL)
  void faultsInTheChain(DeviceWay way) {
    float[] expected = expected();
    var points =
        new ArrayList<>(
            List.of(
                ProbePoint.DEVICE_A_READ,
                ProbePoint.DEVICE_A_LAST_USE,
                ProbePoint.DEVICE_C_STORED,
                ProbePoint.DEVICE_C_KEPT,
                ProbePoint.DEVICE_SUMS,
                ProbePoint.DEVICE_LAUNCH,
                ProbePoint.DEVICE_EVIDENCE,
                ProbePoint.DEVICE_DOWNLOAD,
                ProbePoint.ROW_INPUT_READ,
                ProbePoint.ROW_INPUT_LAST_USE,
                ProbePoint.ROW_INPUT_SEAL,
                ProbePoint.ROW_STORED,
                ProbePoint.ROW_REPEATED,
                ProbePoint.A_SEAL,
                ProbePoint.C_SEAL));
    if (way.evidence == EvidenceLevel.DEVICE) {
      points.add(ProbePoint.DEVICE_RECORDS_READ);
      points.add(ProbePoint.DEVICE_RECORDS_LAST_USE);
      points.add(ProbePoint.CHECK_VECTORS_SEAL);
      points.add(ProbePoint.EVIDENCE);
      points.add(ProbePoint.TOLERANCE);
      points.remove(ProbePoint.DEVICE_C_STORED);
      points.remove(ProbePoint.DEVICE_DOWNLOAD);
    }
    var failures = new ArrayList<String>();
    var kinds = List.of(UpsetKind.values());
    try (var under = way.open(1)) {
      var chain = new FeedForward(under.session());
      under.session().upload(x);
      chain.run();
      int turn = 0;
      for (ProbePoint point : points) {
        var counter = new Upset(point, -1, UpsetKind.BIT_0, random);
        strike(chain, counter);
        for (long occurrence : counter.spread(2)) {
          under.reports().clear();
          var kind = kinds.get(turn++ % kinds.size());
          var upset = new Upset(point, occurrence, kind, random);
          List<Status> said = strike(chain, upset);
          boolean right = ReferenceGemm.firstDifference(expected, chain.result.toArray()) < 0;
          boolean noticed = said.contains(Status.CORRECTED);
          if (!right || said.contains(Status.DETECTED) || (noticed && under.reports().isEmpty())) {
            failures.add("%s %s at %d: %s, %s".formatted(point, kind, occurrence, said, right));
          }
          // Nothing is left behind.
          if (strike(chain, new Upset(point, -1, UpsetKind.BIT_0, random))
              .contains(Status.DETECTED)) {
            failures.add("after %s at %d".formatted(point, occurrence));
          }
          if (ReferenceGemm.firstDifference(expected, chain.result.toArray()) >= 0) {
            failures.add("a wrong result after %s at %d".formatted(point, occurrence));
          }
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  private static List<Status> strike(FeedForward chain, Upset upset) {
    try (var _ = ProbeRelay.lend(upset)) {
      return chain.run();
    }
  }

  /** Who made the evidence that each call was accepted on. */
  @ParameterizedTest
  @EnumSource(value = DeviceWay.class, names = "OFF", mode = EnumSource.Mode.EXCLUDE)
  void callsAreReported(DeviceWay way) {
    try (var under = way.open(2)) {
      var chain = new FeedForward(under.session());
      under.session().upload(x);
      chain.run();
      EvidenceLevel there = EvidenceLevel.DEVICE;
      assertThat(under.calls())
          .containsExactly(
              new CallReport("rms norm", Status.CLEAN, there),
              new CallReport("gemm", Status.CLEAN, way.evidence),
              new CallReport("gemm", Status.CLEAN, way.evidence),
              new CallReport("silu", Status.CLEAN, there),
              new CallReport("gemm", Status.CLEAN, way.evidence),
              new CallReport("add", Status.CLEAN, there));
      long products = way.evidence == there ? 3 : 0;
      assertThat(under.session().counters().byDevice()).isEqualTo(3 + products);
    }
  }

  /** What came back damaged counts for the call that asked for it. */
  @Test
  void callsAreReportedWithWhatArrived() {
    try (var under = DeviceWay.CORRECT.open(1)) {
      var session = under.session();
      var y = tensors.empty(TOKENS, WIDTH);
      session.upload(x);
      session.add(x, x, y);
      var flip = new Upset(ProbePoint.DEVICE_DOWNLOAD, 0, UpsetKind.BIT_22, random);
      try (var _ = ProbeRelay.lend(flip)) {
        session.gemm(y, up.transposed(), tensors.empty(TOKENS, HIDDEN));
      }
      assertThat(flip.changed()).isTrue();
      assertThat(under.calls().getLast())
          .isEqualTo(new CallReport("gemm", Status.CORRECTED, EvidenceLevel.HOST));
    }
  }

  /**
   * A product that is computed once more because of what was found last has the host's evidence.
   */
  @Test
  void callsThatComeBackAreReported() {
    try (var under = DeviceWay.CORRECT_THERE.open(1)) {
      var session = under.session();
      var packed = session.pack(arena, up).transposed();
      session.upload(x);
      var upset = new Upset(ProbePoint.DEVICE_A_LAST_USE, 0, UpsetKind.BIT_22, random);
      try (var _ = ProbeRelay.lend(upset)) {
        session.gemm(x, packed, tensors.empty(TOKENS, HIDDEN));
      }
      assertThat(upset.changed()).isTrue();
      assertThat(under.calls())
          .containsExactly(new CallReport("gemm", Status.CORRECTED, EvidenceLevel.HOST));
    }
  }

  /** Attention whose evidence never came here is computed on the host, and is reported so. */
  @Test
  void attentionThatComesDownIsReported() {
    try (var under = DeviceWay.CORRECT.open(1)) {
      var session = under.session();
      var q = tensors.random(7, 1, 2, 40, 32);
      var out = tensors.empty(1, 2, 40, 32);
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_SUMS) {
              throw DeviceTrouble.outOfMemory();
            }
          };
      try (var _ = ProbeRelay.lend(hook)) {
        session.attention(q, q, q, out, AttentionOptions.defaults());
      }
      session.attention(q, q, q, out, AttentionOptions.defaults());
      assertThat(under.calls())
          .containsExactly(
              new CallReport("attention", Status.CLEAN, EvidenceLevel.HOST),
              new CallReport("attention", Status.CLEAN, EvidenceLevel.DEVICE));
    }
  }

  /** Several threads send the same tensor, and compute with it at once. */
  @ParameterizedTest
  @EnumSource(
      value = DeviceWay.class,
      names = {"CORRECT", "CORRECT_THERE"})
  void sentByTwo(DeviceWay way) throws Exception {
    try (var under = way.open(1);
        var callers = Executors.newFixedThreadPool(2)) {
      var session = under.session();
      for (int round = 0; round < 20; round++) {
        var shared = tensors.random(round, TOKENS, WIDTH);
        var together = new CyclicBarrier(2);
        var results = new ArrayList<Future<Status>>();
        for (int caller = 0; caller < 2; caller++) {
          results.add(
              callers.submit(() -> {
                together.await();
                session.upload(shared);
                return session.add(shared, shared, tensors.empty(TOKENS, WIDTH));
              }));
        }
        for (var result : results) {
          assertThat(result.get()).isEqualTo(Status.CLEAN);
        }
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  /** What a session that protects takes along is sealed, by it or before. */
  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void sealedByUpload(DeviceWay way) {
    try (var under = way.open(1)) {
      var session = under.session();
      assertThat(session.upload(x)).isTrue();
      assertThat(x.storage().watches()).hasSize(way == DeviceWay.OFF ? 0 : 1);
      var part = tensors.random(6, TOKENS, WIDTH);
      session.upload(part.slice(0, 1, 2));
      var narrow = Tensor.zeros(arena, DType.INT8, 4, 8);
      session.upload(narrow.slice(0, 0, 1)); // as many elements as there are words
      assertThat(narrow.storage().watches()).isEmpty();
      assertThat(part.storage().watches()).as("operators do not use it there").isEmpty();
      session.seal(part);
      session.upload(part);
      assertThat(part.storage().watches()).hasSize(1);
      // Written anew, and sent again.
      float first = x.get(0, 0);
      if (way != DeviceWay.OFF) {
        try (var edit = session.edit(x)) {
          edit.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 0, 2 * first);
        }
      }
      var y = tensors.empty(TOKENS, WIDTH);
      session.upload(x);
      assertThat(session.add(x, x, y)).isEqualTo(Status.CLEAN);
      assertThat(y.get(0, 0)).isEqualTo((way == DeviceWay.OFF ? 2 : 4) * first);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** What is verified last is found damaged: a result that is away is needed here, all of it. */
  @Test
  void damageFoundLast() {
    try (var under = DeviceWay.CORRECT_THERE.open(1)) {
      var session = under.session();
      var packed = session.pack(arena, up).transposed();
      var y = tensors.empty(TOKENS, HIDDEN);
      assertThat(session.upload(x)).isTrue();
      session.unseal(x); // so that all of it is read here as well, to be verified
      session.gemm(x, packed, y);
      float[] expected = y.toArray();
      for (ProbePoint point : List.of(ProbePoint.A_LAST_USE, ProbePoint.DEVICE_A_LAST_USE)) {
        var upset = new Upset(point, 0, UpsetKind.BIT_22, new SplittableRandom(2));
        try (var _ = ProbeRelay.lend(upset)) {
          assertThat(session.gemm(x, packed, y)).isEqualTo(Status.CORRECTED);
        }
        assertThat(upset.changed()).isTrue();
        assertThat(y.toArray()).isEqualTo(expected);
        assertThat(session.verify(y)).isEqualTo(Status.CLEAN);
        assertThat(session.gemm(x, packed, y)).isEqualTo(Status.CLEAN);
        assertThat(y.toArray()).isEqualTo(expected);
      }
    }
  }

  /** Of a sealed operand that the device has, a product reads nothing here. */
  @Test
  void damageThatNobodyReads() {
    try (var under = DeviceWay.CORRECT_THERE.open(1)) {
      var session = under.session();
      var packed = session.pack(arena, up).transposed();
      var y = tensors.empty(TOKENS, HIDDEN);
      session.upload(x);
      float[] expected = Chain.multiply(x, up.transposed());
      MemorySegment here = x.storage().place();
      here.setAtIndex(ValueLayout.JAVA_INT, 5, here.getAtIndex(ValueLayout.JAVA_INT, 5) ^ 1 << 22);
      assertThat(session.gemm(x, packed, y)).isEqualTo(Status.CLEAN);
      assertThat(y.toArray()).isEqualTo(expected);
      assertThat(session.verify(x)).isEqualTo(Status.CORRECTED);
    }
  }

  /** A result that was partly computed on the host, because the device failed, is whole. */
  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void aDeviceThatFails(DeviceWay way) {
    float[] expected = expected();
    for (int command = 1; command < 40; command += 9) {
      try (var under = way.open(1)) {
        var chain = new FeedForward(under.session());
        under.session().upload(x);
        chain.run();
        var count = new AtomicLong();
        int failing = command;
        Probe.Hook hook =
            (point, memory, offset, rows, rowBytes, stride) -> {
              boolean isCommand =
                  point == ProbePoint.DEVICE_LAUNCH || point == ProbePoint.DEVICE_EVIDENCE;
              if (isCommand && count.incrementAndGet() == failing) {
                throw DeviceTrouble.outOfMemory();
              }
            };
        List<Status> said;
        under.calls().clear();
        try (var _ = ProbeRelay.lend(hook)) {
          said = chain.run();
        }
        if (count.get() >= failing && way.protection != Protection.OFF) {
          assertThat(under.calls())
              .extracting(CallReport::evidence)
              .as("what the host computed instead, command %d", command)
              .contains(EvidenceLevel.HOST);
        }
        assertThat(said).as("command %d", command).containsOnly(Status.CLEAN);
        assertThat(ReferenceGemm.firstDifference(expected, chain.result.toArray()))
            .as("command %d", command)
            .isEqualTo(-1);
      }
    }
  }

  /** Somebody takes a segment, and with it the words, while others compute with them. */
  @ParameterizedTest
  @EnumSource(
      value = DeviceWay.class,
      names = {"OFF", "CORRECT", "CORRECT_THERE"})
  void takenAwayMeanwhile(DeviceWay way) throws Exception {
    try (var under = way.open(1);
        var callers = Executors.newFixedThreadPool(2)) {
      var session = under.session();
      var packed = session.pack(arena, up).transposed();
      float[] expected = Chain.multiply(x, up.transposed());
      for (int round = 0; round < 10; round++) {
        var shared = Tensor.of(arena, x.toArray(), TOKENS, WIDTH);
        assertThat(session.upload(shared)).isTrue();
        var outputs = new ArrayList<Tensor>();
        var together = new CyclicBarrier(2);
        Future<Status> computing =
            callers.submit(() -> {
              together.await();
              Status worst = Status.CLEAN;
              for (int i = 0; i < 5; i++) {
                var y = tensors.empty(TOKENS, HIDDEN);
                outputs.add(y);
                Status status = session.gemm(shared, packed, y);
                worst = status.compareTo(worst) > 0 ? status : worst;
                session.add(shared, shared, tensors.empty(TOKENS, WIDTH));
              }
              return worst;
            });
        Future<?> taking =
            callers.submit(() -> {
              together.await();
              return shared.segment();
            });
        taking.get();
        assertThat(computing.get()).isEqualTo(Status.CLEAN);
        for (Tensor y : outputs) {
          assertThat(ReferenceGemm.firstDifference(expected, y.toArray())).isEqualTo(-1);
        }
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  /** What one session has, another one asks for, and back, at the same time. */
  @Test
  void twoSessionsOfOneTensor() throws Exception {
    try (var one = DeviceWay.CORRECT_THERE.open(1);
        var other = DeviceWay.OFF.open(1);
        var callers = Executors.newFixedThreadPool(2)) {
      var random = new SplittableRandom(4);
      float[] elements = Operand.gaussian(random, TOKENS * WIDTH);
      var shared = Tensor.of(arena, elements, TOKENS, WIDTH);
      float[] doubled = elements.clone();
      for (int i = 0; i < doubled.length; i++) {
        doubled[i] += doubled[i];
      }
      var results = new ArrayList<Future<Void>>();
      for (var under : List.of(one, other)) {
        results.add(
            callers.submit(() -> {
              for (int i = 0; i < 12; i++) {
                var y = tensors.empty(TOKENS, WIDTH);
                under.session().upload(shared);
                assertThat(under.session().add(shared, shared, y)).isEqualTo(Status.CLEAN);
                assertThat(y.toArray()).isEqualTo(doubled);
              }
              return null;
            }));
      }
      for (var result : results) {
        result.get();
      }
      assertThat(one.reports()).isEmpty();
    }
  }

  /** Words that a device does not give back are lost, loudly, until they are written anew. */
  @Test
  void wordsThatAreLost() {
    try (var under = DeviceWay.CORRECT_THERE.open(1)) {
      var session = under.session();
      var y = tensors.empty(TOKENS, WIDTH);
      session.upload(x);
      session.add(x, x, y);
      Probe.Hook lost =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_DOWNLOAD) {
              throw DeviceTrouble.deviceLost();
            }
          };
      try (var _ = ProbeRelay.lend(lost)) {
        assertThatThrownBy(y::toArray)
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("lost with");
        assertThatThrownBy(() -> session.edit(y)).isInstanceOf(IllegalStateException.class);
        // All of it written by the host.
        var plain = Tensor.wrap(x.toArray(), TOKENS, WIDTH);
        assertThat(session.add(plain, plain, y)).isEqualTo(Status.CLEAN);
        assertThat(y.get(0, 0)).isEqualTo(2 * x.get(0, 0));
      }
      session.upload(y);
      assertThat(session.add(y, x, y)).isEqualTo(Status.CLEAN);
      assertThat(y.get(3, 3)).isEqualTo(3 * x.get(3, 3));
    }
  }

  /** A download that never happened is noticed before seals are taken off. */
  @Test
  void unsealedWhileAway() {
    try (var under = DeviceWay.CORRECT.open(1)) {
      var session = under.session();
      var y = tensors.empty(TOKENS, WIDTH);
      session.upload(x);
      session.add(x, x, y);
      var lost = new Upset(ProbePoint.DEVICE_DOWNLOAD, 0, UpsetKind.BIT_0, random);
      try (var _ = ProbeRelay.lend(lost)) {
        session.unseal(y);
      }
      assertThat(lost.changed()).isTrue();
      assertThat(under.report().resolution()).isEqualTo(Resolution.CORRECTED);
      assertThat(y.get(0, 0)).isEqualTo(2 * x.get(0, 0));
      // And what arrives damaged counts as found by the call that asked for it.
      session.add(y, x, y);
      var flip = new Upset(ProbePoint.DEVICE_DOWNLOAD, 0, UpsetKind.BIT_0, random);
      try (var _ = ProbeRelay.lend(flip)) {
        assertThat(session.verify(y)).isEqualTo(Status.CORRECTED);
      }
      assertThat(session.verify(y)).isEqualTo(Status.CLEAN);
      assertThat(y.get(0, 0)).isEqualTo(3 * x.get(0, 0));
    }
  }

  /** A listener may read what it is told of. */
  @Test
  void aListenerThatReads() {
    var y = tensors.empty(TOKENS, WIDTH);
    var read = new ArrayList<Float>();
    try (var session =
        Regolith.open(options ->
            options
                .compute(DEVICE)
                .threads(1)
                .retireAfter(Integer.MAX_VALUE, Duration.ZERO)
                .onFault(report -> read.add(y.get(0, 0))))) {
      session.upload(x);
      session.add(x, x, y);
      var lost = new Upset(ProbePoint.DEVICE_DOWNLOAD, 0, UpsetKind.BIT_0, random);
      try (var _ = ProbeRelay.lend(lost)) {
        assertThat(y.get(0, 0)).isEqualTo(2 * x.get(0, 0));
      }
      assertThat(read).containsExactly(2 * x.get(0, 0));
    }
  }
}
