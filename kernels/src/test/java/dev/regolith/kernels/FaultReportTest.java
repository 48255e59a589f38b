package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.CallReport;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Finding;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who is told of an incident, and what. */
@Tag("device")
@Tag("once")
class FaultReportTest {
  private static final int SIZE = 200;

  private final Arena arena = Arena.ofShared();
  private final SessionUnderTest under = SessionUnderTest.open(options -> options.threads(2));
  private final Session session = under.session();
  private final Tensor a = random(1);
  private final Tensor b = random(2);
  private final Tensor c = Tensor.zeros(arena, DType.FLOAT32, SIZE, SIZE);

  @AfterEach
  void close() {
    under.close();
    arena.close();
  }

  private Tensor random(int seed) {
    return Tensor.of(arena, Operand.gaussian(new SplittableRandom(seed), SIZE * SIZE), SIZE, SIZE);
  }

  private static void flip(Tensor tensor, long word, int bits) {
    var memory = tensor.storage().segment();
    memory.setAtIndex(
        ValueLayout.JAVA_INT, word, memory.getAtIndex(ValueLayout.JAVA_INT, word) ^ bits);
  }

  @Test
  void aRepairedInput() {
    session.seal(a);
    flip(a, 3L * SIZE + 5, 1 << 30);
    assertThat(session.gemm(a, b, c)).isEqualTo(Status.CORRECTED);
    FaultReport report = under.report();
    assertThat(report.operator()).isEqualTo("gemm");
    assertThat(report.resolution()).isEqualTo(Resolution.CORRECTED);
    assertThat(report.block()).isEqualTo(new Block(0, 0, 24, 0, SIZE));
    assertThat(report.blocks()).isEqualTo(2);
    assertThat(report.findings())
        .containsExactly(new Finding(Component.OPERAND_A, 3 * 128 + 5, 1 << 30, true));
    assertThat(report.steps()).containsExactly(Step.TRACE, Step.RECOMPUTE);
    assertThat(report.time()).isNotNull();
    assertThat(report.summary()).contains("gemm", "CORRECTED", "OPERAND_A repaired");
  }

  @Test
  void reportsDoNotChange() {
    session.seal(a);
    flip(a, 7, 1 << 30);
    session.gemm(a, b, c);
    FaultReport report = under.report();
    var copy = report.toString();
    assertThatThrownBy(() -> report.findings().clear())
        .isInstanceOf(UnsupportedOperationException.class);
    assertThatThrownBy(() -> report.steps().add(Step.TWIN))
        .isInstanceOf(UnsupportedOperationException.class);
    flip(a, 9, 1 << 30);
    session.gemm(a, b, c);
    assertThat(report).hasToString(copy);
    assertThat(under.reports()).hasSize(2);
  }

  @Test
  void theWorstDisagreement() {
    // The last finished tile before the store: bit 30 makes a number huge, or tiny.
    var upset = new Upset(ProbePoint.C_STORED, 0, UpsetKind.BIT_30, new SplittableRandom(3));
    float[] expected = Chain.multiply(a, b);
    try (var _ = ProbeRelay.lend(upset)) {
      assertThat(session.gemm(a, b, c)).isEqualTo(Status.CORRECTED);
    }
    assertThat(c.toArray()).isEqualTo(expected);
    var worst = under.report().worst();
    assertThat(worst).isNotNull();
    assertThat(worst.excess()).isGreaterThan(1);
    assertThat(Math.abs(worst.residual())).isGreaterThan(worst.tolerance());
    assertThat(worst.tolerance()).isPositive();
    Block block = under.report().block();
    assertThat(worst.row()).isBetween(block.row(), block.row() + block.rows() - 1);
    assertThat(under.report().summary()).contains("residual");
  }

  @Test
  void counters() {
    session.seal(a);
    session.gemm(a, b, c);
    var before = session.counters();
    assertThat(before.calls()).isEqualTo(1);
    // two check blocks side by side, at this depth under one check per row
    assertThat(before.checks()).isEqualTo(SIZE);
    assertThat(before.corrected()).isZero();
    flip(a, 7, 1 << 30);
    session.gemm(a, b, c);
    var after = session.counters();
    assertThat(after.calls()).isEqualTo(2);
    assertThat(after.corrected()).isEqualTo(1);
    assertThat(after.refuted() + after.detected() + after.uncorrectable()).isZero();
  }

  /** Every call that has a result is told of, with what it returned. */
  @Test
  void calls() {
    var made = SessionUnderTest.isEvidenceOfDevice() ? EvidenceLevel.DEVICE : EvidenceLevel.HOST;
    session.seal(a);
    session.gemm(a, b, c);
    flip(a, 7, 1 << 30);
    session.gemm(a, b, c);
    session.softmax(1, c, c);
    assertThat(under.calls())
        .containsExactly(
            new CallReport("gemm", Status.CLEAN, made),
            new CallReport("gemm", Status.CORRECTED, made),
            new CallReport("softmax", Status.CLEAN, EvidenceLevel.HOST));
    assertThat(session.counters().byDevice()).isEqualTo(made == EvidenceLevel.DEVICE ? 2 : 0);
  }

  /** Attention that a device computed has its evidence; what has no result is not told of. */
  @Test
  void callsOfAttention() {
    var heads = Tensor.of(arena, Operand.gaussian(new SplittableRandom(1), 4096), 1, 2, 64, 32);
    var result = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 64, 32);
    session.attention(heads, heads, heads, result, AttentionOptions.defaults());
    session.gemm(a.slice(0, 0, 0), b, c.slice(0, 0, 0));
    var made = SessionUnderTest.isDeviceComputing() ? EvidenceLevel.DEVICE : EvidenceLevel.HOST;
    assertThat(under.calls()).containsExactly(new CallReport("attention", Status.CLEAN, made));
  }

  @Test
  void aCallThatDetects() {
    try (var detecting = SessionUnderTest.open(options -> options.protection(Protection.DETECT))) {
      detecting.session().seal(a);
      flip(a, 7, 1 << 30);
      assertThat(detecting.session().gemm(a, b, c)).isEqualTo(Status.DETECTED);
      assertThat(detecting.calls().getFirst().status()).isEqualTo(Status.DETECTED);
    }
  }

  /** The result stands, whatever a listener does. */
  @Test
  void aListenerThatThrows() {
    float[] expected = Chain.multiply(a, b);
    var heard = new ArrayList<CallReport>();
    try (var other =
        Regolith.open(options ->
            options
                .threads(1)
                .onCall(call -> {
                  heard.add(call);
                  if (heard.size() == 1) {
                    throw new IllegalStateException("heard");
                  }
                }))) {
      assertThatThrownBy(() -> other.gemm(a, b, c)).hasMessage("heard");
      assertThat(c.toArray()).isEqualTo(expected);
      assertThat(other.verify(c)).isEqualTo(Status.CLEAN);
      assertThat(other.gemm(a, b, c)).isEqualTo(Status.CLEAN);
      assertThat(heard).hasSize(2);
    }
  }

  @Test
  void aListenerThatCalls() {
    var doubled = Tensor.zeros(arena, DType.FLOAT32, SIZE, SIZE);
    var inner = new AtomicReference<Session>();
    var heard = new ArrayList<String>();
    try (var other =
        Regolith.open(options ->
            options
                .threads(1)
                .onCall(call -> {
                  heard.add(call.operator());
                  if (call.operator().equals("gemm")) {
                    inner.get().add(c, c, doubled);
                  }
                }))) {
      inner.set(other);
      assertThat(other.gemm(a, b, c)).isEqualTo(Status.CLEAN);
    }
    assertThat(heard).containsExactly("gemm", "add");
    assertThat(doubled.get(3, 4)).isEqualTo(2 * c.get(3, 4));
  }

  @Test
  void callsWithoutProtectionAreNotReported() {
    try (var off = SessionUnderTest.open(options -> options.protection(Protection.OFF))) {
      off.session().gemm(a, b, c);
      assertThat(off.calls()).isEmpty();
    }
  }

  /** Finite inputs whose product is not: outside of the rounding model, and yet right. */
  @Test
  void overflowIsAFalseAlarm() {
    var big = Tensor.of(arena, Operand.filled(2e37f, SIZE * SIZE), SIZE, SIZE);
    // Equal columns in pairs, whose signs cancel: the prediction stays finite.
    var paired = random(7);
    for (long i = 0; i < (long) SIZE * SIZE; i += 2) {
      float left = paired.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      paired.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i + 1, left);
    }
    float[] expected = Chain.multiply(big, paired);
    assertThat(session.gemm(big, paired, c)).isEqualTo(Status.CLEAN);
    assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
    assertThat(under.report().resolution()).isEqualTo(Resolution.EVIDENCE_REFUTED);
    assertThat(under.report().steps()).contains(Step.TWIN);
    assertThat(session.counters().refuted()).isEqualTo(1);
    assertThat(c.isSealed()).isTrue();
  }

  @Test
  void inputsThatAreNotFiniteAreComputedTwice() {
    var odd = random(4);
    flip(odd, 5L * SIZE + 6, 0);
    odd.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 5L * SIZE + 6, Float.NaN);
    odd.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 90L * SIZE + 6, Float.POSITIVE_INFINITY);
    float[] expected = Chain.multiply(odd, b);
    assertThat(session.gemm(odd, b, c)).isEqualTo(Status.CLEAN);
    assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
    assertThat(under.reports()).isEmpty();
    assertThat(session.counters().duplicated()).isEqualTo(4);
  }

  @Test
  void theExceptionCarriesTheReport() {
    session.seal(a);
    flip(a, 7, 1 << 30);
    flip(a, 8, 1 << 30);
    assertThatThrownBy(() -> session.gemm(a, b, c))
        .isInstanceOfSatisfying(
            UncorrectableFaultException.class,
            thrown -> {
              assertThat(thrown.report()).isEqualTo(under.report());
              assertThat(thrown).hasMessageContaining("UNCORRECTABLE");
              assertThat(thrown).hasMessageContaining("Session.edit");
            });
    assertThat(under.calls()).as("calls with a result").isEmpty();
    assertThat(under.report().resolution()).isEqualTo(Resolution.UNCORRECTABLE);
    assertThat(under.report().steps()).contains(Step.GIVE_UP);
    assertThat(under.report().findings()).contains(new Finding(Component.OPERAND_A, -1, 0, false));
    assertThat(session.counters().uncorrectable()).isEqualTo(1);
  }

  @Test
  void aDetectingSessionReportsToo() {
    var detecting = SessionUnderTest.kept(1, Protection.DETECT, Compute.BEST);
    session.seal(a);
    flip(a, 7, 1 << 30);
    assertThat(detecting.session().gemm(a, b, c)).isEqualTo(Status.DETECTED);
    assertThat(detecting.report().resolution()).isEqualTo(Resolution.DETECTED);
    assertThat(detecting.report().findings()).noneMatch(Finding::repaired);
  }

  @Test
  void whatAListenerThrowsIsThrownByTheOperator() {
    try (var angry =
        Regolith.open(options ->
            options
                .threads(2)
                .onFault(report -> {
                  throw new UnsupportedOperationException("no faults, please");
                }))) {
      angry.seal(a);
      float[] expected = Chain.multiply(a, b);
      flip(a, 7, 1 << 30);
      assertThatThrownBy(() -> angry.gemm(a, b, c))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessage("no faults, please");
      assertThat(angry.gemm(a, b, c)).as("the next call").isEqualTo(Status.CLEAN);
      assertThat(c.toArray()).isEqualTo(expected);
    }
  }

  @Test
  void theFlightRecorderGetsAnEvent(@TempDir Path folder) throws IOException {
    session.seal(a);
    var file = folder.resolve("faults.jfr");
    try (var recording = new Recording()) {
      recording.enable("dev.regolith.Fault");
      recording.start();
      session.gemm(a, b, c);
      flip(a, 7, 1 << 30);
      session.gemm(a, b, c);
      recording.stop();
      recording.dump(file);
    }
    List<RecordedEvent> events =
        RecordingFile.readAllEvents(file).stream()
            .filter(event -> event.getEventType().getName().equals("dev.regolith.Fault"))
            .toList();
    assertThat(events).hasSize(1);
    RecordedEvent event = events.getFirst();
    assertThat(event.getString("operator")).isEqualTo("gemm");
    assertThat(event.getString("resolution")).isEqualTo("CORRECTED");
    assertThat(event.getLong("blocks")).isEqualTo(2);
    assertThat(event.getString("findings")).contains("OPERAND_A");
    assertThat(event.getString("steps")).contains("RECOMPUTE");
  }

  @Test
  void theSystemLoggerIsToldOncePerKind() {
    var fork = Fork.run(List.of("--add-modules", "jdk.incubator.vector"), LoggingMain.class);
    assertThat(fork.exit()).as(fork.text()).isZero();
    assertThat(fork.count("status CORRECTED")).as(fork.text()).isEqualTo(2);
    assertThat(fork.count("thrown UNCORRECTABLE")).as(fork.text()).isEqualTo(2);
    assertThat(fork.count("gemm: CORRECTED")).as(fork.text()).isEqualTo(1);
    assertThat(fork.count("gemm: UNCORRECTABLE")).as(fork.text()).isEqualTo(1);
  }
}
