package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.device.DeviceTrouble;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A session whose products a device computes: its life, its failures, what it leaves. */
@Tag("device-only")
class DeviceSessionTest {
  private static final Compute DEVICE = SessionUnderTest.accelerator();
  private static final int M = 61;
  private static final int K = 140;
  private static final int N = 150;

  private static final Set<ProbePoint> COMMANDS =
      EnumSet.range(ProbePoint.DEVICE_PANELS_UPLOAD, ProbePoint.DEVICE_EVIDENCE);

  private final Arena arena = Arena.ofShared();
  private final Tensor a = random(1, M, K);
  private final Tensor b = random(2, K, N);
  private final Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
  private final float[] expected = Chain.multiply(a, b);

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(int seed, long... shape) {
    int count = (int) Arrays.stream(shape).reduce(1, (x, y) -> x * y);
    return Tensor.of(arena, Operand.gaussian(new SplittableRandom(seed), count), shape);
  }

  private static SessionUnderTest open() {
    return open(2);
  }

  /** With one thread, a session has all its objects of a device after the first call. */
  private static SessionUnderTest open(int threads) {
    return SessionUnderTest.open(options -> options.compute(DEVICE).threads(threads));
  }

  private void assertRight(Session session, Status status) {
    try (var edit = session.edit(c)) {
      edit.segment().fill((byte) -1);
    }
    assertThat(session.gemm(a, b, c)).isEqualTo(status);
    assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
  }

  @Test
  void itSaysWhatComputes() {
    try (var under = open()) {
      assertThat(under.session().backend())
          .startsWith(DEVICE.name().toLowerCase(Locale.ROOT) + ", ")
          .contains("host evidence");
      assertThat(under.session().configuration()).containsValue(under.session().backend());
    }
  }

  @ParameterizedTest
  @EnumSource(EvidenceLevel.class)
  void nothingIsLeftOnTheDevice(EvidenceLevel evidence) {
    try (var _ = open()) {
      // What is loaded once per JVM is loaded.
    }
    long before = DeviceTrouble.objectsAlive();
    for (int round = 0; round < 3; round++) {
      try (var under =
          SessionUnderTest.open(o -> o.compute(DEVICE).threads(2).evidence(evidence))) {
        var session = under.session();
        var weights = session.pack(b.transposed()).transposed();
        for (int i = 1; i <= M; i += 20) {
          var x = random(3, i, K);
          var y = Tensor.zeros(arena, DType.FLOAT32, i, N);
          session.gemm(x, weights, y);
          session.gemm(0.5f, x, b, 2, y);
        }
        assertThat(DeviceTrouble.objectsAlive()).isGreaterThan(before);
      }
      assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
    }
  }

  /** Rows that fit a tile read every word of weights once, and are struck in any of them. */
  @ParameterizedTest
  @CsvSource({"1, BIT_0", "3, BIT_0", "2, SIGN", "4, SCRAMBLED"})
  void fewRowsNoticeDamagedWeights(int rows, UpsetKind kind) {
    try (var under = open(1)) {
      var session = under.session();
      var weights = session.pack(b.transposed());
      var x = random(5, rows, K);
      var y = Tensor.zeros(arena, DType.FLOAT32, rows, N);
      float[] right = Chain.multiply(x, b);
      assertThat(session.gemm(x, weights.transposed(), y)).isEqualTo(Status.CLEAN);
      var upset = new Upset(ProbePoint.DEVICE_B_READ, 0, kind, new SplittableRandom(rows));
      try (var _ = ProbeRelay.lend(upset)) {
        assertThat(session.gemm(x, weights.transposed(), y)).isEqualTo(Status.CORRECTED);
      }
      assertThat(upset.changed()).isTrue();
      assertThat(y.toArray()).isEqualTo(right);
      assertThat(session.gemm(x, weights.transposed(), y)).isEqualTo(Status.CLEAN);
      assertThat(y.toArray()).isEqualTo(right);
      assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
    }
  }

  @Test
  void panelsAreFreedByTheNextProduct() {
    try (var under = open(1)) {
      var session = under.session();
      var kept = session.pack(b.transposed()).transposed();
      session.gemm(a, kept, c);
      long before = DeviceTrouble.objectsAlive();
      try (var ofWeights = Arena.ofShared()) {
        session.gemm(a, session.pack(ofWeights, b.transposed()).transposed(), c);
        assertThat(DeviceTrouble.objectsAlive()).isGreaterThan(before);
      }
      session.gemm(a, kept, c);
      assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
    }
  }

  /** Far more calls at once than a session keeps buffers for. */
  @Test
  void manyCallsAtOnce() throws Exception {
    long before = DeviceTrouble.objectsAlive();
    try (var under = open();
        var callers = Executors.newFixedThreadPool(100)) {
      var session = under.session();
      var weights = session.pack(b.transposed()).transposed();
      var together = new CyclicBarrier(100);
      long after = 0;
      for (int round = 0; round < 3; round++) {
        var results = new ArrayList<Future<Status>>();
        for (int i = 0; i < 100; i++) {
          var y = Tensor.zeros(arena, DType.FLOAT32, M, N);
          results.add(
              callers.submit(() -> {
                together.await();
                return session.gemm(a, weights, y);
              }));
        }
        for (var result : results) {
          assertThat(result.get()).isEqualTo(Status.CLEAN);
        }
        // 64 calls are kept, with at most fifteen objects each; of more, nothing is.
        after = Math.max(after, DeviceTrouble.objectsAlive() - before);
      }
      assertThat(after).isLessThan(65 * 15);
    }
  }

  @Test
  void panelsAreFreedWithTheArenaOfTheirWeights() {
    try (var under = open(1)) {
      var session = under.session();
      long after = 0;
      for (int round = 0; round < 5; round++) {
        try (var ofWeights = Arena.ofShared()) {
          var weights = session.pack(ofWeights, b.transposed()).transposed();
          session.gemm(a, weights, c);
        }
        after = round == 1 ? DeviceTrouble.objectsAlive() : after;
      }
      assertThat(DeviceTrouble.objectsAlive()).isEqualTo(after);
    }
  }

  /** The memory of a device can be full for one call: the host computes it. */
  @Test
  void outOfMemoryIsForOneCall() {
    open().close(); // what is loaded once per JVM is loaded
    long before = DeviceTrouble.objectsAlive();
    try (var under = open()) {
      try (var _ = ProbeRelay.lend(failing(DeviceTrouble.outOfMemory()))) {
        assertRight(under.session(), Status.CLEAN);
      }
      assertThat(commands(under.session())).isPositive();
      assertThat(under.reports()).isEmpty();
    }
    assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
  }

  /** A device that is lost is not asked again. */
  @Test
  void aLostDeviceIsForGood() {
    open().close(); // what is loaded once per JVM is loaded
    long before = DeviceTrouble.objectsAlive();
    try (var under = open()) {
      try (var _ = ProbeRelay.lend(failing(DeviceTrouble.deviceLost()))) {
        assertRight(under.session(), Status.CLEAN);
      }
      assertThat(commands(under.session())).isZero();
      assertThat(under.session().backend()).contains("out of service");
      assertThat(under.reports()).isEmpty();
    }
    assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
  }

  /** The fifth command of a call fails. */
  private static Probe.Hook failing(RuntimeException failure) {
    var count = new AtomicInteger();
    return (point, memory, offset, rows, rowBytes, stride) -> {
      if (COMMANDS.contains(point) && count.incrementAndGet() == 5) {
        throw failure;
      }
    };
  }

  /** How many commands a product sends to the device. */
  private int commands(Session session) {
    var count = new AtomicInteger();
    Probe.Hook hook =
        (point, memory, offset, rows, rowBytes, stride) -> {
          if (COMMANDS.contains(point)) {
            count.incrementAndGet();
          }
        };
    try (var _ = ProbeRelay.lend(hook)) {
      assertRight(session, Status.CLEAN);
    }
    return count.get();
  }

  /** A device that goes wrong every time: its results are put right on the host, then it is out. */
  @Test
  void aDeviceThatIsNeverRight() {
    Probe.Hook stuckBit =
        (point, memory, offset, rows, rowBytes, stride) -> {
          if (point == ProbePoint.DEVICE_C_STORED) {
            flip(memory, offset + 4);
          }
        };
    try (var under =
        SessionUnderTest.open(
            options -> options.compute(DEVICE).threads(1).retireAfter(3, Duration.ofHours(1)))) {
      try (var _ = ProbeRelay.lend(stuckBit)) {
        for (int i = 0; i < 3; i++) {
          assertRight(under.session(), Status.CORRECTED);
        }
        assertRight(under.session(), Status.CLEAN);
      }
      assertThat(commands(under.session())).isZero();
      assertThat(under.reports()).hasSize(3);
      assertThat(under.reports().getFirst().findings())
          .extracting("component")
          .containsOnly(Component.DEVICE_BUFFER);
      assertThat(under.session().counters().corrected()).isEqualTo(3);
    }
  }

  private static void flip(MemorySegment memory, long offset) {
    int word = memory.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
    memory.set(ValueLayout.JAVA_INT_UNALIGNED, offset, word ^ 1 << 20);
  }

  /**
   * A word of the host's panels, which no product on a device reads: a tolerance worked out from it
   * would let anything pass.
   */
  @ParameterizedTest
  @CsvSource({"CORRECT, false", "CORRECT, true", "DETECT, false"})
  void damagedPanelsOfTheHostAllowNothing(Protection protection, boolean mendedMeanwhile) {
    try (var under =
        SessionUnderTest.open(o -> o.compute(DEVICE).threads(1).protection(protection))) {
      var session = under.session();
      var weights = session.pack(b.transposed()).transposed();
      assertThat(session.gemm(a, weights, c)).isEqualTo(Status.CLEAN);
      var packed = weights.asRightOperand();
      packed.panels().set(ValueLayout.JAVA_FLOAT, 0, 1e30f);
      // One element of C is wrong on the host, after the device's sums were compared.
      var done = new AtomicBoolean();
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.EVIDENCE && !done.getAndSet(true)) {
              double shown = memory.get(ValueLayout.JAVA_DOUBLE, offset);
              memory.set(ValueLayout.JAVA_DOUBLE, offset, shown + 1);
            }
            // As another call of the same weights would, when all rows were believed.
            if (point == ProbePoint.A_LAST_USE && mendedMeanwhile) {
              packed.mendPanel(0, 0);
            }
          };
      boolean mends = protection == Protection.CORRECT;
      try (var _ = ProbeRelay.lend(hook)) {
        assertThat(session.gemm(a, weights, c))
            .isEqualTo(mends ? Status.CORRECTED : Status.DETECTED);
      }
      if (mends) {
        assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
        assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
      }
    }
  }

  /** A kernel that computes something else, again and again: nothing of it gets out. */
  @Test
  void aWrongKernel(@TempDir Path folder) throws IOException {
    String property = "dev.regolith.kernels.sources";
    String right = "store_tile(acc, ";
    String source = Files.readString(Path.of("..", "native", "device", "gemm.c"));
    assertThat(source).contains(right);
    boolean readsPanels;
    try (var under = open()) {
      readsPanels = SessionUnderTest.readsPanels(under.session());
    }
    String wrong = "acc[3][0] = depth > 100 ? 1.5f * acc[3][0] : acc[3][0]; store_tile(acc, ";
    Files.writeString(folder.resolve("gemm.c"), source.replace(right, wrong));
    System.setProperty(property, folder.toString());
    try {
      assertThatThrownBy(() -> Regolith.open(options -> options.compute(DEVICE)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("none has the right bits");
      if (readsPanels) { // a kernel for few rows
        String few = "0, column, depth, rows, all_columns, 1,";
        assertThat(source).containsOnlyOnce(few);
        Files.writeString(
            folder.resolve("gemm.c"), source.replace(few, few.replace("depth", "depth - 1")));
        try (var other = open()) { // of a tile that has no such kernel
          assertThat(SessionUnderTest.readsPanels(other.session())).isFalse();
        } catch (IllegalStateException e) {
          assertThat(e).hasMessageContaining("none has the right bits");
        }
      }
      // Beyond the 1100th step, which the choice of a tile does not look at.
      Files.writeString(
          folder.resolve("gemm.c"), source.replace(right, wrong.replace("100", "1100")));
      aKernelThatIsWrongAtDepth();
    } finally {
      System.clearProperty(property);
    }
  }

  private void aKernelThatIsWrongAtDepth() {
    var x = random(8, M, 1200);
    var y = random(9, 1200, N);
    float[] product = Chain.multiply(x, y);
    try (var under = open()) {
      assertThat(under.session().gemm(x, y, c)).isEqualTo(Status.CORRECTED);
      assertThat(ReferenceGemm.firstDifference(product, c.toArray())).isEqualTo(-1);
      // Infinities predict nothing: such results are computed once more, on the host.
      try (var edit = under.session().edit(y)) {
        edit.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 5, Float.POSITIVE_INFINITY);
      }
      float[] infinite = Chain.multiply(x, y);
      assertThat(under.session().gemm(x, y, c)).isEqualTo(Status.CORRECTED);
      assertThat(ReferenceGemm.firstDifference(infinite, c.toArray())).isEqualTo(-1);
    }
  }

  /** Weights that lie idle on the device, damaged there: put back from the host's. */
  @Test
  void idleWeights() {
    try (var under = open()) {
      var session = under.session();
      var weights = session.pack(arena, b.transposed());
      session.gemm(a, weights.transposed(), c);
      assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_B_LAST_USE) {
              flip(memory, offset + 400);
              flip(memory, offset + rowBytes - 4 * K);
            }
          };
      try (var _ = ProbeRelay.lend(hook)) {
        assertThat(session.verify(weights)).isEqualTo(Status.CORRECTED);
      }
      assertThat(under.report().findings())
          .extracting("component")
          .containsExactly(Component.DEVICE_BUFFER);
      assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
      assertThat(session.gemm(a, weights.transposed(), c)).isEqualTo(Status.CLEAN);
      assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
    }
  }

  /** Check records that lie idle there are copied anew after a verification. */
  @Test
  void idleRecords() {
    try (var under =
        SessionUnderTest.open(o -> o.compute(DEVICE).threads(1).evidence(EvidenceLevel.DEVICE))) {
      var session = under.session();
      var weights = session.pack(arena, b.transposed());
      session.gemm(a, weights.transposed(), c);
      int copies = copies(() -> session.gemm(a, weights.transposed(), c));
      assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
      assertThat(copies(() -> session.gemm(a, weights.transposed(), c))).isEqualTo(copies + 1);
      assertThat(copies(() -> session.gemm(a, weights.transposed(), c))).isEqualTo(copies);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Kernels that make evidence, and copies of it, in a call. */
  private static long evidence(Runnable call) {
    var counts = new ProbeCounts();
    try (var _ = ProbeRelay.lend(counts)) {
      call.run();
    }
    return counts.of(ProbePoint.DEVICE_EVIDENCE);
  }

  /** Copies to the device that somebody makes. */
  private static int copies(Runnable call) {
    var counts = new ProbeCounts();
    try (var _ = ProbeRelay.lend(counts)) {
      call.run();
    }
    return (int) (counts.of(ProbePoint.DEVICE_UPLOAD) + counts.of(ProbePoint.DEVICE_PANELS_UPLOAD));
  }

  /** Words that do not come now may come later; those of a lost device do not. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void wordsThatDoNotCome(boolean lost) {
    try (var under = open(1)) {
      var session = under.session();
      Tensor x = random(7, 20, 30);
      Tensor y = Tensor.zeros(arena, DType.FLOAT32, 20, 30);
      session.upload(x);
      session.add(x, x, y);
      Probe.Hook failing =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_DOWNLOAD) {
              throw lost ? DeviceTrouble.deviceLost() : DeviceTrouble.outOfMemory();
            }
          };
      try (var _ = ProbeRelay.lend(failing)) {
        assertThatThrownBy(y::toArray)
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining(lost ? "are lost with" : "which has them still");
      }
      assertThat(session.backend().contains("out of service")).isEqualTo(lost);
      if (!lost) {
        float[] doubled = x.toArray();
        for (int i = 0; i < doubled.length; i++) {
          doubled[i] += doubled[i];
        }
        assertThat(y.toArray()).isEqualTo(doubled);
      }
    }
  }

  /** The same of a cache, which a session that only detects leaves as it is. */
  @ParameterizedTest
  @EnumSource(value = Protection.class, names = "OFF", mode = EnumSource.Mode.EXCLUDE)
  void idleCaches(Protection protection) {
    boolean mends = protection == Protection.CORRECT;
    Status noticed = mends ? Status.CORRECTED : Status.DETECTED;
    try (var under =
            SessionUnderTest.open(o -> o.compute(DEVICE).threads(1).protection(protection));
        var cache = under.session().cache(2, 32, 40)) {
      var session = under.session();
      session.append(cache, random(1, 1, 2, 300, 32), random(2, 1, 2, 300, 40));
      Tensor q = random(3, 1, 4, 1, 32);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 1, 40);
      var options = AttentionOptions.defaults();
      assertThat(session.verify(cache)).as("nothing is there").isEqualTo(Status.CLEAN);
      session.attention(q, List.of(cache), out, options);
      float[] right = out.toArray();
      long launches = evidence(() -> session.attention(q, List.of(cache), out, options));
      assertThat(session.verify(cache)).isEqualTo(Status.CLEAN);
      long after = evidence(() -> session.attention(q, List.of(cache), out, options));
      boolean checks = mends && SessionUnderTest.isCheckingAttention();
      assertThat(after > launches).as("check vectors are made anew").isEqualTo(checks);
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_B_LAST_USE) {
              flip(memory, offset + 400);
            }
          };
      try (var _ = ProbeRelay.lend(hook)) {
        assertThat(session.verify(cache)).isEqualTo(noticed);
      }
      assertThat(under.report().findings())
          .extracting("component")
          .containsExactly(Component.DEVICE_BUFFER);
      assertThat(session.verify(cache)).isEqualTo(mends ? Status.CLEAN : Status.DETECTED);
      if (mends) {
        assertThat(session.attention(q, List.of(cache), out, options)).isEqualTo(Status.CLEAN);
        assertThat(out.toArray()).isEqualTo(right);
      }
    }
  }

  /** A device that only detects is wrong loudly. */
  @Test
  void detectingOnly() {
    try (var under =
        SessionUnderTest.open(
            options -> options.compute(DEVICE).threads(1).protection(Protection.DETECT))) {
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_C_STORED) {
              flip(memory, offset);
            }
          };
      try (var _ = ProbeRelay.lend(hook)) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.DETECTED);
      }
      assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
    }
  }

  @Test
  void devicesThatDoNotExist() {
    assertThatThrownBy(() -> Regolith.open(options -> options.compute(DEVICE).device("abacus")))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("device \"abacus\"")
        .hasMessageContaining("0: ");
    assertThatThrownBy(() -> Regolith.open(options -> options.compute(DEVICE).device("99")))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("device number 99");
    assertThatThrownBy(
            () -> Regolith.open(options -> options.compute(DEVICE).device("99999999999")))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("99999999999");
    assertThatThrownBy(() -> Regolith.open(options -> options.retireAfter(0, Duration.ZERO)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void devicesByNumberAndName() {
    String backend;
    try (var session = Regolith.open(options -> options.compute(DEVICE).device("0"))) {
      backend = session.backend();
    }
    String name = Accelerator.all(DEVICE).getFirst().device();
    try (var session =
        Regolith.open(options -> options.compute(DEVICE).device(name.toUpperCase(Locale.ROOT)))) {
      assertThat(session.backend()).isEqualTo(backend);
      assertRight(session, Status.CLEAN);
    }
  }

  /** Entries of the cache that are damaged, or that the driver does not accept, are made again. */
  @Test
  void aDamagedCache() throws IOException {
    Path folder = Path.of(System.getProperty("dev.regolith.kernels.cache"));
    try (var under = open()) {
      assertRight(under.session(), Status.CLEAN);
    }
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        DeviceTrouble.replaceContents(file, new byte[] {1, 2, 3});
      }
    }
    try (var under = open()) {
      assertRight(under.session(), Status.CLEAN);
    }
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.write(file, new byte[] {7});
      }
    }
    try (var under = open()) {
      assertRight(under.session(), Status.CLEAN);
    }
  }

  /** What a device does not compute, its host does. */
  @Test
  void operatorsOfTheHost() {
    try (var under = open()) {
      var session = under.session();
      var x = random(5, 8, 64);
      var onDevice = Tensor.zeros(arena, DType.FLOAT32, 8, 64);
      var onHost = Tensor.zeros(arena, DType.FLOAT32, 8, 64);
      assertThat(session.softmax(x, onDevice)).isEqualTo(Status.CLEAN);
      try (var host = Regolith.open(options -> options.compute(Compute.SCALAR))) {
        host.softmax(x, onHost);
      }
      assertThat(onDevice.toArray()).isEqualTo(onHost.toArray());
    }
  }
}
