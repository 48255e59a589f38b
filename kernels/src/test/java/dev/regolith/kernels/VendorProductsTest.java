package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.device.DeviceTrouble;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Products of a vendor's library: their bits are its own, within the envelope, and evidence watches
 * over them as over the canonical kernel's.
 */
@Tag("device-only")
class VendorProductsTest {
  private static final String PROPERTY = "dev.regolith.kernels.experimental";
  private static final int M = 61;
  private static final int K = 1100;
  private static final int N = 301;

  private static final Set<ProbePoint> COMMANDS =
      EnumSet.range(ProbePoint.DEVICE_PANELS_UPLOAD, ProbePoint.DEVICE_EVIDENCE);

  private static final Map<String, SessionUnderTest> KEPT = new HashMap<>();

  private final String asked = System.getProperty(PROPERTY, "");
  private final SplittableRandom random = new SplittableRandom(27);
  private final Arena arena = Arena.ofShared();

  @BeforeEach
  void ask() {
    System.setProperty(PROPERTY, asked + ",cublas");
  }

  @AfterEach
  void close() {
    System.setProperty(PROPERTY, asked);
    arena.close();
  }

  @AfterAll
  static void closeAll() {
    KEPT.values().forEach(SessionUnderTest::close);
    KEPT.clear();
  }

  private static SessionUnderTest open(Protection protection) {
    return open(protection, EvidenceLevel.HOST);
  }

  /** A session whose products the library computes, where the device has one; kept. */
  private static SessionUnderTest open(Protection protection, EvidenceLevel evidence) {
    assumeTrue(SessionUnderTest.accelerator() == Compute.CUDA, "no device with a vendor's library");
    var kept = KEPT.computeIfAbsent(protection + " " + evidence, _ -> opened(protection, evidence));
    kept.reports().clear();
    kept.calls().clear();
    return kept;
  }

  private static SessionUnderTest opened(Protection protection, EvidenceLevel evidence) {
    return SessionUnderTest.open(options ->
        options.compute(Compute.CUDA).threads(2).protection(protection).evidence(evidence));
  }

  private Tensor random(long... shape) {
    int count = (int) Arrays.stream(shape).reduce(1, (x, y) -> x * y);
    return Tensor.of(arena, Operand.gaussian(random, count), shape);
  }

  /** One of a batch. */
  private static Tensor matrix(Tensor batch, int number) {
    long rows = batch.size(1);
    long columns = batch.size(2);
    long first = number * rows * columns;
    return batch.strided(first, new long[] {rows, columns}, new long[] {columns, 1});
  }

  private static boolean sameBits(Tensor x, Tensor y) {
    return ReferenceGemm.firstDifference(x.toArray(), y.toArray()) < 0;
  }

  /** That each element is as near to the exact one as any order of operations brings it. */
  private static void assertWithinEnvelope(
      float alpha, Tensor a, Tensor b, float beta, float[] old, Tensor c) {
    assertWithinEnvelope(alpha, a, b, beta, old, c, _ -> true);
  }

  /** The same of some rows. */
  private static void assertWithinEnvelope(
      float alpha, Tensor a, Tensor b, float beta, float[] old, Tensor c, IntPredicate rows) {
    int depth = (int) a.size(1);
    int columns = (int) c.size(1);
    float[] left = a.toArray();
    float[] right = b.transposed().toArray();
    float[] result = c.toArray();
    double u = 0x1p-24;
    double gamma = (depth + 3) * u / (1 - (depth + 3) * u);
    for (int at = 0; at < result.length; at++) {
      double exact = (double) beta * old[at];
      double size = Math.abs(exact);
      for (int k = 0; k < depth; k++) {
        double y = right[at % columns * depth + k];
        double term = alpha * (left[at / columns * depth + k] * y);
        exact += term;
        size += Math.abs(term);
      }
      if (rows.test(at / columns) && !(Math.abs(result[at] - exact) <= gamma * size)) {
        throw new AssertionError("%d: %s beside %s".formatted(at, result[at], exact));
      }
    }
  }

  @Test
  void itSaysWhoMultiplies() {
    var under = open(Protection.CORRECT);
    assertThat(under.session().backend()).contains("products of cuBLAS ");
    assertThat(under.session().configuration()).containsValue(under.session().backend());
  }

  /** Nobody has to have such a library. */
  @Test
  void withoutOneTheCanonicalKernelMultiplies() {
    assumeTrue(SessionUnderTest.accelerator() == Compute.OPENCL, "a device with a library");
    try (var under = SessionUnderTest.open(options -> options.compute(Compute.OPENCL))) {
      assertThat(under.session().backend()).doesNotContain("products of");
      Tensor a = random(M, K);
      Tensor b = random(K, N);
      Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
      assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
      assertThat(c.toArray()).isEqualTo(Chain.multiply(a, b));
    }
  }

  @Test
  void nobodyAsksForWhatThereIsNot() {
    System.setProperty(PROPERTY, "magma");
    assertThatThrownBy(() -> Regolith.open(o -> o.compute(SessionUnderTest.accelerator())))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("-D%s names experiments (cublas, checks, halves), not \"magma\"", PROPERTY);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 1, 0",
    "24, 512, 128, 1, 0",
    "61, 1100, 301, -1.5, 0.25",
    "3, 77, 129, 1, 2",
    "130, 33, 40, 0.5, 0",
    "1600, 20, 260, 1, 0",
  })
  void resultsAreWithinTheEnvelope(int m, int k, int n, float alpha, float beta) {
    Tensor a = random(m, k);
    Tensor b = random(k, n);
    float[] old = Operand.gaussian(random, m * n);
    Tensor unprotected = Tensor.of(arena, old, m, n);
    Session off = open(Protection.OFF).session();
    assertThat(off.gemm(alpha, a, b, beta, unprotected)).isEqualTo(Status.CLEAN);
    assertWithinEnvelope(alpha, a, b, beta, old, unprotected);
    for (var evidence : EvidenceLevel.values()) {
      var under = open(Protection.CORRECT, evidence);
      var session = under.session();
      Tensor fresh = Tensor.of(arena, old, m, n);
      assertThat(session.gemm(alpha, a, b, beta, fresh)).isEqualTo(Status.CLEAN);
      assertThat(sameBits(fresh, unprotected)).isTrue();
      Tensor packed = Tensor.of(arena, old, m, n);
      var weights = session.pack(arena, b.transposed()).transposed();
      assertThat(session.gemm(alpha, a, weights, beta, packed)).isEqualTo(Status.CLEAN);
      assertThat(sameBits(packed, unprotected)).isTrue();
      assertThat(session.verify(packed)).isEqualTo(Status.CLEAN);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** That it is the library that multiplies, and not the canonical kernel in its place. */
  @Test
  void itDoesMultiply() {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var under = open(Protection.CORRECT);
    var seen = new Upset(ProbePoint.DEVICE_C_MULTIPLIED, -1, UpsetKind.BIT_0, random);
    try (var _ = ProbeRelay.lend(seen)) {
      assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
    }
    assertThat(seen.reached()).isPositive();
    assertThat(under.session().isCanonical()).isFalse();
    assertWithinEnvelope(1, a, b, 0, new float[M * N], c);
  }

  /** What it does not do, the canonical kernel does, from there on; a lost device is for good. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void itMayRefuse(boolean lost) {
    open(Protection.CORRECT);
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    try (var under = SessionUnderTest.open(options -> options.compute(Compute.CUDA).threads(1))) {
      Probe.Hook refusal =
          (point, _, _, _, _, _) -> {
            if (point == ProbePoint.DEVICE_LAUNCH) {
              throw lost ? DeviceTrouble.deviceLost() : DeviceTrouble.outOfMemory();
            }
          };
      var once = new AtomicInteger();
      try (var _ =
          ProbeRelay.lend((point, memory, offset, rows, rowBytes, stride) -> {
            if (point != ProbePoint.DEVICE_LAUNCH || once.getAndIncrement() == 0) {
              refusal.reached(point, memory, offset, rows, rowBytes, stride);
            }
          })) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
      }
      assertThat(c.toArray()).isEqualTo(Chain.multiply(a, b));
      assertThat(under.session().isCanonical()).isTrue();
      assertThat(under.session().backend())
          .doesNotContain("cuBLAS")
          .contains(lost ? "out of service" : "host evidence");
      assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
      assertThat(c.toArray()).isEqualTo(Chain.multiply(a, b));
      assertThat(under.reports()).isEmpty();
    }
  }

  /** An overflow that the inputs do not foresee is nobody's fault, and retires no device. */
  @Test
  void anOverflowIsNoFault() {
    open(Protection.CORRECT);
    Tensor a = Tensor.of(arena, Operand.filled(0x1p100f, 3 * 40), 3, 40);
    Tensor b = Tensor.of(arena, Operand.filled(0x1p27f, 40 * 50), 40, 50);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, 3, 50);
    try (var under =
        SessionUnderTest.open(options ->
            options.compute(Compute.CUDA).threads(2).retireAfter(1, Duration.ofMinutes(1)))) {
      String computing = under.session().backend();
      for (int i = 0; i < 3; i++) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
        assertThat(c.toArray()).isEqualTo(Operand.filled(Float.POSITIVE_INFINITY, 3 * 50));
      }
      assertThat(under.session().backend()).isEqualTo(computing);
    }
  }

  @Test
  void batchesOfTransposedMatrices() {
    Tensor a = random(3, 40, 29);
    Tensor b = random(3, 150, 40);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, 3, 29, 150);
    var under = open(Protection.CORRECT);
    var session = under.session();
    assertThat(session.gemm(a.transposed(), b.transposed(), c)).isEqualTo(Status.CLEAN);
    for (int i = 0; i < 3; i++) {
      Tensor left = matrix(a, i).transposed();
      Tensor right = matrix(b, i).transposed();
      assertWithinEnvelope(1, left, right, 0, new float[29 * 150], matrix(c, i));
    }
    assertThat(under.reports()).isEmpty();
  }

  /** Rows that read what is not finite are computed as they always are; so a fault would show. */
  @ParameterizedTest
  @EnumSource(EvidenceLevel.class)
  void whatIsNotFiniteIsNoFault(EvidenceLevel evidence) {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 7 * K + 3, Float.NaN);
    a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 50 * K + 3, Float.POSITIVE_INFINITY);
    float[] chain = Chain.multiply(a, b);
    for (var protection : Protection.values()) {
      var under = open(protection, evidence);
      for (boolean there : new boolean[] {false, true}) {
        Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
        if (!there) {
          var _ = c.segment(); // so that the result comes here
        }
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
        float[] result = c.toArray();
        for (int row : new int[] {7, 50}) {
          assertThat(Arrays.copyOfRange(result, row * N, row * N + N))
              .isEqualTo(Arrays.copyOfRange(chain, row * N, row * N + N));
        }
        assertThat(under.session().verify(c)).isEqualTo(Status.CLEAN);
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  /** The library would want A to be of their type, too. */
  @Test
  void weightsOf16BitsAreMultipliedCanonically() {
    Tensor wide = random(N, K);
    Tensor halves = Tensor.of(arena, DType.BFLOAT16, wide.toArray(), N, K);
    Tensor a = random(M, K);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var under = open(Protection.CORRECT);
    var weights = under.session().pack(arena, halves).transposed();
    assertThat(under.session().gemm(a, weights, c)).isEqualTo(Status.CLEAN);
    Tensor rounded = Tensor.of(arena, halves.toArray(), N, K);
    assertThat(c.toArray()).isEqualTo(Chain.multiply(a, rounded.transposed()));
  }

  /** What stays on the device is there for the next product. */
  @Test
  void resultsStay() {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    Tensor here = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var _ = here.segment();
    var under = open(Protection.CORRECT, EvidenceLevel.DEVICE);
    var session = under.session();
    session.upload(a);
    assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
    assertThat(session.gemm(a, b, here)).isEqualTo(Status.CLEAN);
    assertThat(sameBits(c, here)).isTrue();
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
    assertThat(under.calls()).extracting(it -> it.evidence()).contains(EvidenceLevel.DEVICE);
    assertThat(under.reports()).isEmpty();
    assertWithinEnvelope(1, a, b, 0, new float[M * N], c);
  }

  /** Rows of A that lie behind others on the device. */
  @ParameterizedTest
  @EnumSource(EvidenceLevel.class)
  void batchesThatStay(EvidenceLevel evidence) {
    Tensor a = random(3, 30, 700);
    Tensor b = random(3, 700, 150);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, 3, 30, 150);
    var under = open(Protection.CORRECT, evidence);
    under.session().upload(a);
    assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
    for (int i = 0; i < 3; i++) {
      Tensor each = matrix(c, i);
      assertWithinEnvelope(1, matrix(a, i), matrix(b, i), 0, new float[30 * 150], each);
    }
    assertThat(under.reports()).isEmpty();
  }

  /** The same strikes where the device predicts, and the result stays. */
  @ParameterizedTest
  @EnumSource(
      names = {
        "DEVICE_A_READ", "DEVICE_B_READ", "DEVICE_C_MULTIPLIED", "DEVICE_C_KEPT",
        "DEVICE_RECORDS_READ", "DEVICE_SUMS", "EVIDENCE", "TOLERANCE",
      })
  void faultsArePutRightWhereTheDevicePredicts(ProbePoint point) {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    var under = open(Protection.CORRECT, EvidenceLevel.DEVICE);
    for (var kind : List.of(UpsetKind.BIT_30, UpsetKind.SCRAMBLED)) {
      Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
      under.session().upload(a);
      var upset = new Upset(point, 0, kind, random);
      try (var _ = ProbeRelay.lend(upset)) {
        var _ = under.session().gemm(a, b, c);
      }
      assertThat(upset.reached()).isPositive();
      assertThat(under.session().verify(c)).isNotEqualTo(Status.DETECTED);
      assertWithinEnvelope(1, a, b, 0, new float[M * N], c);
    }
  }

  /** Everything that a product reads, makes and sends, struck once. */
  @ParameterizedTest
  @EnumSource(
      names = {
        "DEVICE_A_READ", "DEVICE_A_LAST_USE", "DEVICE_B_READ", "DEVICE_B_LAST_USE",
        "DEVICE_OLD_C_READ", "DEVICE_OLD_C_LAST_USE", "DEVICE_C_MULTIPLIED", "DEVICE_C_STORED",
        "DEVICE_SUMS", "C_STORED", "A_SEAL",
      })
  void faultsArePutRight(ProbePoint point) {
    var product = new Product();
    var under = open(Protection.CORRECT);
    float[] clean = product.run(under.session(), Status.CLEAN);
    for (var kind : List.of(UpsetKind.BIT_30, UpsetKind.SIGN, UpsetKind.SCRAMBLED)) {
      under.reports().clear();
      var upset = new Upset(point, 0, kind, random);
      try (var _ = ProbeRelay.lend(upset)) {
        product.run(under.session(), null);
      }
      assertThat(upset.reached()).isPositive();
      assertThat(product.run(under.session(), Status.CLEAN)).as("afterwards").isEqualTo(clean);
    }
    assertThat(under.session().verify(product.weights)).isEqualTo(Status.CLEAN);
  }

  /** Of what is changed where it matters, something is said. */
  @ParameterizedTest
  @EnumSource(names = {"DEVICE_A_READ", "DEVICE_B_READ", "DEVICE_C_STORED"})
  void faultsAreReported(ProbePoint point) {
    var product = new Product();
    var under = open(Protection.CORRECT);
    for (var each : List.of(under, open(Protection.DETECT))) {
      product.pack(each.session());
      product.run(each.session(), Status.CLEAN);
      var upset = new Upset(point, 0, UpsetKind.BIT_0, random);
      boolean corrects = each.session().protection() == Protection.CORRECT;
      try (var _ = ProbeRelay.lend(upset)) {
        Status status = product.gemm(each.session());
        assertThat(status).isEqualTo(corrects ? Status.CORRECTED : Status.DETECTED);
      }
      assertThat(each.reports()).hasSize(1);
    }
  }

  /** Commands that never reach the device, each in its turn. */
  @Test
  void whatIsLostIsMissed() {
    open(Protection.CORRECT);
    var product = new Product();
    var another = new Product();
    // One thread, whose buffers hold what the other product left there.
    try (var under = SessionUnderTest.open(options -> options.compute(Compute.CUDA).threads(1))) {
      var session = under.session();
      float[] clean = product.run(session, Status.CLEAN);
      var count = new AtomicInteger();
      try (var _ = ProbeRelay.lend(losing(count, -1))) {
        product.run(session, Status.CLEAN);
      }
      assertThat(count.get()).isGreaterThanOrEqualTo(6);
      for (int lost = 0; lost < count.get(); lost++) {
        another.run(session, Status.CLEAN); // what is there now is not this product's
        try (var _ = ProbeRelay.lend(losing(new AtomicInteger(), lost))) {
          product.run(session, Status.CORRECTED);
        }
        assertThat(product.run(session, Status.CLEAN)).isEqualTo(clean);
      }
    }
  }

  /** Loses a command by its number. */
  private static Probe.Hook losing(AtomicInteger count, int number) {
    return (point, memory, offset, _, _, _) -> {
      if (COMMANDS.contains(point) && count.getAndIncrement() == number) {
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, 0);
      }
    };
  }

  @Test
  void nothingIsLeftOnTheDevice() {
    open(Protection.CORRECT); // what is loaded once per JVM is loaded
    long before = DeviceTrouble.objectsAlive();
    try (var under = opened(Protection.CORRECT, EvidenceLevel.HOST)) {
      new Product().run(under.session(), Status.CLEAN);
    }
    assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
  }

  /** A product with all that one can have, of weights that stay. */
  private final class Product {
    private final Tensor a = random(M, K);
    private final Tensor b = random(N, K);
    private final float[] old = Operand.gaussian(random, M * N);
    private PackedMatrix weights;
    private Tensor c;

    void pack(Session session) {
      weights = session.pack(arena, b);
    }

    /** Multiplies; whatever happens, the result is within the envelope. */
    float[] run(Session session, Status expected) {
      if (weights == null) {
        pack(session);
      }
      Status status = gemm(session);
      if (expected != null) {
        assertThat(status).isEqualTo(expected);
      }
      Status later = session.verify(c);
      assertThat(later).isNotEqualTo(Status.DETECTED);
      assertWithinEnvelope(-1.5f, a, b.transposed(), 0.25f, old, c);
      return c.toArray();
    }

    Status gemm(Session session) {
      c = Tensor.of(arena, old, M, N);
      return session.gemm(-1.5f, a, weights.transposed(), 0.25f, c);
    }
  }
}
