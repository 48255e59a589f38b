package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A device that takes subnormal numbers for zero, and says so: its products are within the
 * envelope, watched over as any; what would be judged by its bits is the CPU's.
 */
@Tag("flushing")
class InexactDeviceTest {
  private static final String WITHOUT = "float32 without subnormal numbers";
  private static final int M = 61;
  private static final int K = 700;
  private static final int N = 301;

  private static final Set<ProbePoint> COMMANDS =
      EnumSet.range(ProbePoint.DEVICE_PANELS_UPLOAD, ProbePoint.DEVICE_EVIDENCE);

  private final SplittableRandom random = new SplittableRandom(38);
  private final Arena arena = Arena.ofShared();

  /** Where the library was built, a device is missed. */
  @BeforeAll
  static void thereIsOne() {
    String library = System.getProperty("dev.regolith.kernels.opencl.library", "");
    assumeTrue(Files.exists(Path.of(library)), "there was no OpenCL loader to build it with");
    assertThat(Accelerator.all(Compute.OPENCL)).isNotEmpty();
  }

  @AfterEach
  void close() {
    arena.close();
  }

  private static SessionUnderTest kept(Protection protection) {
    return SessionUnderTest.kept(2, protection, Compute.OPENCL);
  }

  private Tensor random(int rows, int columns) {
    return Tensor.of(arena, Operand.gaussian(random, rows * columns), rows, columns);
  }

  private Tensor scaled(float scale, int rows, int columns) {
    float[] values = Operand.gaussian(random, rows * columns);
    for (int i = 0; i < values.length; i++) {
      values[i] *= scale;
    }
    return Tensor.of(arena, values, rows, columns);
  }

  @Test
  void itSaysSo() {
    assertThat(Accelerator.all(Compute.OPENCL)).allMatch(it -> it.deviation().equals(WITHOUT));
    var session = kept(Protection.CORRECT).session();
    assertThat(session.backend())
        .startsWith("opencl, ")
        .contains(WITHOUT)
        .contains("host evidence");
    assertThat(session.isCanonical()).isFalse();
    assertThat(session.configuration())
        .containsEntry("products", WITHOUT + ", within an envelope")
        .containsEntry("attentionComputedBy", "host")
        .containsEntry("rowsComputedBy", "host");
  }

  @Test
  void strictSessionsRefuse() {
    long before = DeviceTrouble.objectsAlive();
    assertThatThrownBy(() -> Regolith.open(o -> o.compute(Compute.OPENCL).strict(true)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(WITHOUT);
    assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
  }

  /** Where no number is subnormal, nothing differs, with weights of any type. */
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1, 1, 0, FLOAT32",
    "61, 700, 301, -1.5, 0.25, FLOAT32",
    "130, 33, 40, 0.5, 0, FLOAT32",
    "1600, 20, 260, 1, 0, FLOAT32",
    "61, 700, 301, -1.5, 1, FLOAT16",
  })
  void othersAreExact(int m, int k, int n, float alpha, float beta, DType type) {
    Tensor a = random(m, k);
    Tensor b = Tensor.of(arena, type, Operand.gaussian(random, n * k), n, k);
    float[] old = Operand.gaussian(random, m * n);
    Tensor expected = Tensor.of(arena, old, m, n);
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    var _ = scalar.gemm(alpha, a, b.transposed(), beta, expected);
    for (var protection : List.of(Protection.OFF, Protection.CORRECT)) {
      var under = kept(protection);
      var session = under.session();
      for (boolean packed : new boolean[] {false, true}) {
        Tensor c = Tensor.of(arena, old, m, n);
        Status status =
            packed
                ? session.gemm(alpha, a, session.pack(arena, b).transposed(), beta, c)
                : session.gemm(alpha, a, b.transposed(), beta, c);
        assertThat(status).isEqualTo(Status.CLEAN);
        assertThat(c.toArray()).isEqualTo(expected.toArray());
        assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
      }
      assertThat(under.reports()).isEmpty();
    }
  }

  /** This is what the device does, and who only detects is told, and keeps it. */
  @ParameterizedTest
  @CsvSource({"OFF, CLEAN", "DETECT, DETECTED"})
  void itFlushes(Protection protection, Status expected) {
    Tensor a = scaled(0x1p-135f, M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    assertThat(kept(protection).session().gemm(a, b, c)).isEqualTo(expected);
    for (float value : c.toArray()) {
      assertThat(value).isZero();
    }
    assertThat(Chain.multiply(a, b)).isNotEqualTo(c.toArray());
  }

  /**
   * Protected, it does not get away with it where that shows: the CPU computes what is in doubt.
   */
  @Test
  void whatIsFlushedIsMissed() {
    Tensor a = scaled(0x1p-135f, M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var under = kept(Protection.CORRECT);
    assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
    assertThat(c.toArray()).isEqualTo(Chain.multiply(a, b));
    assertThat(under.session().verify(c)).isEqualTo(Status.CLEAN);
  }

  /** Columns that nobody can tell from zero beside others are zero, and so the envelope says. */
  @Test
  void whatDoesNotShowStands() {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    shrink(b, 5);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var under = kept(Protection.CORRECT);
    assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
    assertThat(under.reports()).isEmpty();
    float[] chain = Chain.multiply(a, b);
    float[] result = c.toArray();
    for (int i = 0; i < M * N; i++) {
      if (i % N == 5) {
        assertThat(result[i]).isZero();
        assertThat(chain[i]).isNotZero();
        assertThat((double) chain[i]).isCloseTo(0, Offset.offset(flushed(a, b, i / N, i % N)));
      } else {
        assertThat(result[i]).isEqualTo(chain[i]);
      }
    }
  }

  /** Makes a column subnormal. */
  private static void shrink(Tensor b, int column) {
    for (int k = 0; k < K; k++) {
      long at = (long) k * N + column;
      float value = b.segment().getAtIndex(ValueLayout.JAVA_FLOAT, at);
      b.segment().setAtIndex(ValueLayout.JAVA_FLOAT, at, value * 0x1p-135f);
    }
  }

  /** What flushing may add to the envelope of an element; docs/numerics.md. */
  private static double flushed(Tensor a, Tensor b, int row, int column) {
    double sum = 3;
    float[] left = a.toArray();
    float[] right = b.toArray();
    for (int k = 0; k < K; k++) {
      sum += Math.abs(left[row * K + k]) + Math.abs(right[k * N + column]) + 2;
    }
    return 0x1p-126 * sum;
  }

  /** What is computed again has the canonical bits, also where the device's stood before. */
  @Test
  void whatIsComputedAgainIsCanonical() {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    shrink(b, 5);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var upset = new Upset(ProbePoint.DEVICE_C_STORED, 0, UpsetKind.BIT_30, random);
    try (var _ = ProbeRelay.lend(upset)) {
      assertThat(kept(Protection.CORRECT).session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
    }
    float[] chain = Chain.multiply(a, b);
    float[] result = c.toArray();
    int same = 0;
    for (int i = 0; i < M * N; i++) {
      boolean own = i % N == 5 && result[i] == 0;
      same += own ? 0 : 1;
      assertThat(own || result[i] == chain[i]).isTrue();
    }
    assertThat(same).isBetween(M * N - M + 1, M * N - 1); // a block's rows, and not the others'
  }

  /** Rows that predict nothing are the CPU's: an infinity times what is flushed would be NaN. */
  @ParameterizedTest
  @EnumSource(
      value = Protection.class,
      names = {"CORRECT", "DETECT"})
  void whatIsNotFiniteIsNoFault(Protection protection) {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    shrink(b, 5);
    a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 7 * K + 3, Float.NaN);
    a.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 50 * K + 3, Float.POSITIVE_INFINITY);
    var under = kept(protection);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CLEAN);
    float[] chain = Chain.multiply(a, b);
    float[] result = c.toArray();
    assertThat(chain[50 * N + 5]).isInfinite();
    for (int i = 0; i < M * N; i++) {
      boolean ofDevice =
          i / N >= 24 && i / N < 48; // the other rows of check blocks predict nothing
      boolean own = ofDevice && i % N == 5 && result[i] == 0;
      assertThat(own || Float.floatToIntBits(result[i]) == Float.floatToIntBits(chain[i])).isTrue();
    }
    assertThat(under.reports()).isEmpty();
  }

  /** A result that stays where its operand is, unprotected and protected. */
  @ParameterizedTest
  @EnumSource(
      value = Protection.class,
      names = {"OFF", "CORRECT"})
  void resultsStay(Protection protection) {
    Tensor a = random(M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    var session = kept(protection).session();
    assertThat(session.upload(a)).isTrue();
    var downloads = new AtomicInteger();
    try (var _ =
        ProbeRelay.lend((point, _, _, _, _, _) -> {
          if (point == ProbePoint.DEVICE_DOWNLOAD) {
            downloads.incrementAndGet();
          }
        })) {
      assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
    }
    assertThat(downloads.get() == 0).isEqualTo(protection == Protection.OFF);
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
    assertThat(c.toArray()).isEqualTo(Chain.multiply(a, b));
  }

  /** Everything that a product reads, makes and sends, struck once; the CPU's bits are put in. */
  @ParameterizedTest
  @EnumSource(
      names = {
        "DEVICE_A_READ",
        "DEVICE_A_LAST_USE",
        "DEVICE_B_READ",
        "DEVICE_B_LAST_USE",
        "DEVICE_OLD_C_READ",
        "DEVICE_OLD_C_LAST_USE",
        "DEVICE_C_STORED",
        "DEVICE_SUMS",
        "C_STORED",
        "A_SEAL",
      })
  void faultsArePutRight(ProbePoint point) {
    var product = new Product();
    var session = kept(Protection.CORRECT).session();
    for (var kind : List.of(UpsetKind.BIT_30, UpsetKind.SIGN, UpsetKind.SCRAMBLED)) {
      var weights = session.pack(arena, product.b);
      var upset = new Upset(point, 0, kind, random);
      try (var _ = ProbeRelay.lend(upset)) {
        product.run(session, weights);
      }
      assertThat(upset.reached()).isPositive();
      assertThat(product.run(session, weights)).as("afterwards").isEqualTo(Status.CLEAN);
    }
  }

  /** Commands that never reach the device, each in its turn. */
  @Test
  void whatIsLostIsMissed() {
    var product = new Product();
    var another = new Product();
    // One thread, whose buffers hold what the other product left there.
    var session = SessionUnderTest.kept(1, Protection.CORRECT, Compute.OPENCL).session();
    var weights = session.pack(arena, product.b);
    var others = session.pack(arena, another.b);
    product.run(session, weights);
    var count = new AtomicInteger();
    try (var _ = ProbeRelay.lend(losing(count, -1))) {
      assertThat(product.run(session, weights)).isEqualTo(Status.CLEAN);
    }
    assertThat(count.get()).isGreaterThanOrEqualTo(5);
    for (int lost = 0; lost < count.get(); lost++) {
      another.run(session, others); // what is there now is not this product's
      try (var _ = ProbeRelay.lend(losing(new AtomicInteger(), lost))) {
        assertThat(product.run(session, weights)).isEqualTo(Status.CORRECTED);
      }
      assertThat(product.run(session, weights)).isEqualTo(Status.CLEAN);
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

  /** A product with all that one can have, in which nothing is subnormal, and its bits. */
  private final class Product {
    private final Tensor a = random(M, K);
    private final Tensor b = random(N, K);
    private final float[] old = Operand.gaussian(random, M * N);
    private final float[] expected;

    Product() {
      Tensor c = Tensor.of(arena, old, M, N);
      var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
      var _ = scalar.gemm(-1.5f, a, b.transposed(), 0.25f, c);
      expected = c.toArray();
    }

    /** Whatever happens, the bits are right. */
    Status run(Session session, PackedMatrix weights) {
      Tensor c = Tensor.of(arena, old, M, N);
      Status status = session.gemm(-1.5f, a, weights.transposed(), 0.25f, c);
      assertThat(session.verify(c)).isNotEqualTo(Status.DETECTED);
      assertThat(c.toArray()).isEqualTo(expected);
      return status;
    }
  }

  /** A device whose every product is in doubt is not asked for long. */
  @Test
  void itIsRetired() {
    Tensor a = scaled(0x1p-135f, M, K);
    Tensor b = random(K, N);
    Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
    try (var under =
        SessionUnderTest.open(
            o -> o.compute(Compute.OPENCL).threads(1).retireAfter(2, Duration.ofMinutes(1)))) {
      for (int i = 0; i < 4; i++) {
        var _ = under.session().gemm(a, b, c);
        assertThat(c.toArray()).isEqualTo(Chain.multiply(a, b));
      }
      assertThat(under.session().backend()).contains("out of service");
      assertThat(under.session().isCanonical()).isTrue();
    }
  }

  /** What is judged by its bits, or by a tolerance that counts on them. */
  @Test
  void theRestIsTheHosts() {
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    try (var under =
        SessionUnderTest.open(o -> o.compute(Compute.OPENCL).evidence(EvidenceLevel.DEVICE))) {
      var session = under.session();
      Tensor x = scaled(0x1p-130f, 40, 203);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, 40, 203);
      Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 40, 203);
      session.upload(x);
      assertThat(session.add(x, x, out)).isEqualTo(Status.CLEAN);
      var _ = scalar.add(x, x, expected);
      assertThat(out.toArray()).isEqualTo(expected.toArray());

      long[] shape = {1, 2, 70, 64};
      Tensor q = Tensor.of(arena, Operand.gaussian(random, 2 * 70 * 64), shape);
      Tensor v = Tensor.of(arena, scaled(0x1p-133f, 2 * 70, 64).toArray(), shape);
      Tensor attended = Tensor.zeros(arena, DType.FLOAT32, shape);
      Tensor attention = Tensor.zeros(arena, DType.FLOAT32, shape);
      var plain = AttentionOptions.defaults();
      assertThat(session.attention(q, q, v, attended, plain)).isEqualTo(Status.CLEAN);
      var _ = scalar.attention(q, q, v, attention, plain);
      assertThat(attended.toArray()).isEqualTo(attention.toArray());

      Tensor c = Tensor.zeros(arena, DType.FLOAT32, 40, 40);
      assertThat(session.gemm(random(40, 203), random(203, 40), c)).isEqualTo(Status.CLEAN);
      assertThat(under.calls())
          .isNotEmpty()
          .allMatch(call -> call.evidence() == EvidenceLevel.HOST);
    }
  }
}
