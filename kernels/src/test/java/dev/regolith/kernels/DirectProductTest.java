package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sealed operands of products that are multiplied where they lie, and checked by columns. */
@Tag("machine")
class DirectProductTest {
  private static final int PRODUCTS = 24;

  /** What operands are filled with. */
  enum Filling {
    GAUSSIAN,
    MEAN,
    ZEROS,
    CONSTANT,
    EQUAL_ROWS,
    EQUAL_COLUMNS,
    SORTED,
    TINY,
    HUGE,
    WIDE,
    SUBNORMAL,
    INFINITE,
    NOT_A_NUMBER;

    float[] matrix(SplittableRandom random, int rows, int columns) {
      var values = new float[rows * columns];
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
          values[i * columns + j] = value(random, i, j, rows, columns);
        }
      }
      if (this == INFINITE || this == NOT_A_NUMBER) {
        values[random.nextInt(values.length)] =
            this == INFINITE ? Float.NEGATIVE_INFINITY : Float.NaN;
      }
      return values;
    }

    private float value(SplittableRandom random, int i, int j, int rows, int columns) {
      float gaussian = (float) random.nextGaussian();
      return switch (this) {
        case GAUSSIAN, INFINITE, NOT_A_NUMBER -> gaussian;
        case MEAN -> 1 + gaussian;
        case ZEROS -> random.nextBoolean() ? 0 : -0f;
        case CONSTANT -> 0.7f;
        case EQUAL_ROWS -> 0.1f * j - 3;
        case EQUAL_COLUMNS -> 0.1f * i - 3;
        case SORTED -> (i * columns + j) / (float) (rows * columns);
        case TINY -> gaussian * 1e-25f;
        case HUGE -> gaussian * 1e18f;
        case WIDE -> gaussian * (float) Math.pow(10, random.nextInt(31) - 15);
        case SUBNORMAL -> gaussian * 1e-40f;
      };
    }

    /** Whether a check of it never needs a second look. */
    boolean isOrdinary() {
      return this == GAUSSIAN || this == MEAN || this == ZEROS;
    }
  }

  static Stream<Arguments> fillingsOfOperands() {
    return Stream.of(Filling.values())
        .flatMap(it -> Stream.of(Arguments.of(it, false), Arguments.of(it, true)));
  }

  /**
   * Whatever operands are filled with.
   *
   * @param packed whether B was packed ahead
   */
  @ParameterizedTest
  @MethodSource("fillingsOfOperands")
  void nothingIsAFault(Filling filling, boolean packed) {
    var random = new SplittableRandom(filling.name().hashCode());
    for (int product = 0; product < PRODUCTS; product++) {
      int threads = 1 + product % 2;
      var under = SessionUnderTest.kept(threads, Protection.CORRECT, Compute.VECTOR);
      int m = 1 + random.nextInt(product % 4 == 0 ? 400 : 70);
      int k = 1 + random.nextInt(product % 3 == 0 ? 512 : 100);
      int n = 1 + random.nextInt(product % 5 == 0 ? 300 : 140);
      float alpha = product % 6 == 0 ? -0.75f : 1;
      float beta = product % 4 == 1 ? 1.25f : 0;
      float[] a = filling.matrix(random, m, k);
      float[] b = filling.matrix(random, k, n);
      float[] old = Operand.gaussian(random, m * n);
      float[] expected = Chain.multiply(alpha, a, b, beta, old, m, n, k);
      var session = under.session();
      under.reports().clear();
      try (var arena = Arena.ofShared()) {
        var left = Tensor.of(arena, a, m, k);
        var right = Tensor.of(arena, b, k, n);
        var c = Tensor.of(arena, old, m, n);
        session.seal(left);
        session.seal(right);
        var weights = session.pack(arena, right.transposed()).transposed();
        var before = session.counters();
        assertThat(
                packed
                    ? session.gemm(alpha, left, weights, beta, c)
                    : session.gemm(alpha, left, right, beta, c))
            .isEqualTo(Status.CLEAN);
        var after = session.counters();
        String what = "%d x %d x %d, %s x, %s c".formatted(m, k, n, alpha, beta);
        assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).as(what).isEqualTo(-1);
        assertThat(under.reports()).as(what).isEmpty();
        assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
        assertThat(after.checks()).as("checks").isGreaterThan(before.checks());
        boolean byColumns = !packed || m > n / 4;
        if (threads == 1
            && m <= 288
            && k <= 256
            && byColumns
            && SessionUnderTest.isInMachineCode()) {
          assertThat(after.checks() - before.checks()).as("columns, " + what).isEqualTo(n);
        }
        if (filling.isOrdinary()) {
          assertThat(after.refined()).as("second looks, " + what).isEqualTo(before.refined());
          assertThat(after.duplicated()).as("twice, " + what).isEqualTo(before.duplicated());
        }
      }
    }
  }

  /** The same of few rows, and a B that is read a few rows at a time. */
  @ParameterizedTest
  @EnumSource
  void nothingIsAFaultInFewRows(Filling filling) {
    var random = new SplittableRandom(filling.name().hashCode());
    for (int m = 1; m <= 12; m++) {
      var under = SessionUnderTest.kept(1 + m % 2, Protection.CORRECT, Compute.VECTOR);
      var session = under.session();
      under.reports().clear();
      int k = 513 + random.nextInt(700);
      int n = 1 + random.nextInt(300);
      float[] a = filling.matrix(random, m, k);
      float[] b = filling.matrix(random, k, n);
      float[] expected = Chain.multiply(1, a, b, 0, new float[m * n], m, n, k);
      try (var arena = Arena.ofShared()) {
        var left = Tensor.of(arena, a, m, k);
        var right = Tensor.of(arena, b, k, n);
        var c = Tensor.zeros(arena, DType.FLOAT32, m, n);
        session.seal(left);
        session.seal(right);
        var before = session.counters();
        assertThat(session.gemm(left, right, c)).isEqualTo(Status.CLEAN);
        var after = session.counters();
        String what = "%d x %d x %d".formatted(m, k, n);
        assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).as(what).isEqualTo(-1);
        if (filling != Filling.HUGE) { // sums overflow: what then says so is refuted, and reported
          assertThat(under.reports()).as(what).isEmpty();
        }
        assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
        if (SessionUnderTest.isInMachineCode()) {
          assertThat(after.checks() - before.checks()).as("columns, " + what).isEqualTo(n);
        }
        boolean repeats = m == 1 && filling != Filling.INFINITE && filling != Filling.NOT_A_NUMBER;
        if (filling.isOrdinary() || repeats) {
          assertThat(after.refined()).as("second looks, " + what).isEqualTo(before.refined());
          assertThat(after.duplicated()).as("twice, " + what).isEqualTo(before.duplicated());
        }
      }
    }
  }

  /**
   * Few rows in other forms: a batch, with a B for each or one for all; more columns than a region
   * has; a B that is wide, and not deep; one that is as deep as checks by columns go; factors,
   * which round a row once more than its prediction.
   */
  @ParameterizedTest
  @CsvSource({
    "3, 3, 2, 530, 300, 1, 0",
    "3, 1, 2, 530, 300, 1, 0",
    "1, 1, 5, 200, 6100, 1, 0",
    "1, 1, 1, 200, 6100, 1, 0",
    "1, 1, 2, 65536, 33, 1, 0",
    "1, 1, 2, 65537, 33, 1, 0",
    "1, 1, 1, 64, 128, -1.5, 0.5",
    "1, 1, 25, 64, 128, -1.5, 0.5",
    "1, 1, 1, 600, 128, -1.5, 0.5",
  })
  void fewRowsOfAllForms(int batch, int ofB, int m, int k, int n, float alpha, float beta) {
    var random = new SplittableRandom(k);
    float[] a = Filling.GAUSSIAN.matrix(random, batch * m, k);
    float[] b = Filling.GAUSSIAN.matrix(random, ofB * k, n);
    float[] old = Filling.GAUSSIAN.matrix(random, batch * m, n);
    var expected = new float[batch * m * n];
    for (int matrix = 0; matrix < batch; matrix++) {
      int at = matrix * m * n;
      float[] x = Arrays.copyOfRange(a, matrix * m * k, (matrix + 1) * m * k);
      int right = ofB == 1 ? 0 : matrix;
      float[] y = Arrays.copyOfRange(b, right * k * n, (right + 1) * k * n);
      float[] z = Arrays.copyOfRange(old, at, at + m * n);
      System.arraycopy(Chain.multiply(alpha, x, y, beta, z, m, n, k), 0, expected, at, m * n);
    }
    for (var protection : Protection.values()) {
      var under = SessionUnderTest.kept(1 + k % 2, protection, Compute.VECTOR);
      var session = under.session();
      under.reports().clear();
      try (var arena = Arena.ofShared()) {
        var left = batch == 1 ? Tensor.of(arena, a, m, k) : Tensor.of(arena, a, batch, m, k);
        var right = ofB == 1 ? Tensor.of(arena, b, k, n) : Tensor.of(arena, b, ofB, k, n);
        var c = batch == 1 ? Tensor.of(arena, old, m, n) : Tensor.of(arena, old, batch, m, n);
        session.seal(left);
        session.seal(right);
        session.seal(c);
        var before = session.counters();
        assertThat(session.gemm(alpha, left, right, beta, c)).isEqualTo(Status.CLEAN);
        var after = session.counters();
        assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
        assertThat(under.reports()).isEmpty();
        assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
        assertThat(after.refined()).as("second looks").isEqualTo(before.refined());
        assertThat(after.duplicated()).as("twice").isEqualTo(before.duplicated());
      }
    }
  }

  /**
   * Of what columns do not settle, B is read once more, long after it was compared with its seals.
   */
  @ParameterizedTest
  @EnumSource
  void upsetsOfRightOperandsThatAreReadAgain(UpsetKind kind) {
    var random = new SplittableRandom(kind.name().hashCode());
    for (var filling : new Filling[] {Filling.NOT_A_NUMBER, Filling.HUGE, Filling.TINY}) {
      var under = SessionUnderTest.kept(1, Protection.CORRECT, Compute.VECTOR);
      var session = under.session();
      int m = 40;
      int k = 30;
      int n = 150;
      float[] a = filling.matrix(random, m, k);
      float[] b = filling.matrix(random, k, n);
      float[] expected = Chain.multiply(1, a, b, 0, new float[m * n], m, n, k);
      try (var arena = Arena.ofShared()) {
        var left = Tensor.of(arena, a, m, k);
        var right = Tensor.of(arena, b, k, n);
        var c = Tensor.zeros(arena, DType.FLOAT32, m, n);
        session.seal(left);
        session.seal(right);
        var upset = new Upset(ProbePoint.B_LAST_USE, 0, kind, random);
        try (var _ = ProbeRelay.lend(upset)) {
          assertThat(session.gemm(left, right, c)).isNotEqualTo(Status.DETECTED);
        }
        assertThat(upset.reached() > 0).isEqualTo(SessionUnderTest.isInMachineCode());
        assertThat(ReferenceGemm.firstDifference(expected, c.toArray()))
            .as("%s", filling)
            .isEqualTo(-1);
        assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
        session.verify(right);
        assertThat(right.toArray()).isEqualTo(b);
      }
    }
  }

  /** Each product's seals are its own, and the place of a difference is as well. */
  @ParameterizedTest
  @EnumSource
  void upsetsOfRightOperandsInABatch(UpsetKind kind) {
    var random = new SplittableRandom(kind.name().hashCode());
    int batch = 3;
    int m = 30;
    int k = 50;
    int n = 40;
    var under = SessionUnderTest.kept(1, Protection.CORRECT, Compute.VECTOR);
    var session = under.session();
    float[] a = Filling.GAUSSIAN.matrix(random, batch * m, k);
    float[] b = Filling.GAUSSIAN.matrix(random, batch * k, n);
    for (int struck = 0; struck < batch; struck++) {
      try (var arena = Arena.ofShared()) {
        var left = Tensor.of(arena, a, batch, m, k);
        var right = Tensor.of(arena, b, batch, k, n);
        var c = Tensor.zeros(arena, DType.FLOAT32, batch, m, n);
        session.seal(left);
        session.seal(right);
        // Where nothing is multiplied where it lies, nothing is struck.
        var upset = new Upset(ProbePoint.B_MULTIPLIED, struck, kind, random);
        try (var _ = ProbeRelay.lend(upset)) {
          boolean direct = SessionUnderTest.isInMachineCode();
          assertThat(session.gemm(left, right, c))
              .isEqualTo(direct ? Status.CORRECTED : Status.CLEAN);
        }
        for (int matrix = 0; matrix < batch; matrix++) {
          float[] x = Arrays.copyOfRange(a, matrix * m * k, (matrix + 1) * m * k);
          float[] y = Arrays.copyOfRange(b, matrix * k * n, (matrix + 1) * k * n);
          float[] expected = Chain.multiply(1, x, y, 0, new float[m * n], m, n, k);
          float[] result = Arrays.copyOfRange(c.toArray(), matrix * m * n, (matrix + 1) * m * n);
          assertThat(ReferenceGemm.firstDifference(expected, result)).isEqualTo(-1);
        }
        assertThat(right.toArray()).isEqualTo(b);
        assertThat(session.verify(right)).isEqualTo(Status.CLEAN);
      }
    }
  }

  /** Detecting does not take a second computation for damage. */
  @ParameterizedTest
  @EnumSource
  void detectingFindsNothing(Filling filling) {
    var random = new SplittableRandom(filling.name().hashCode());
    var under = SessionUnderTest.kept(1, Protection.DETECT, Compute.VECTOR);
    var session = under.session();
    under.reports().clear();
    float[] a = filling.matrix(random, 33, 40);
    float[] b = filling.matrix(random, 40, 70);
    float[] expected = Chain.multiply(1, a, b, 0, new float[33 * 70], 33, 70, 40);
    try (var arena = Arena.ofShared()) {
      var left = Tensor.of(arena, a, 33, 40);
      var right = Tensor.of(arena, b, 40, 70);
      var c = Tensor.zeros(arena, DType.FLOAT32, 33, 70);
      session.seal(left);
      session.seal(right);
      assertThat(session.gemm(left, right, c)).isEqualTo(Status.CLEAN);
      assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Which NaN a product of two is depends on their order, and other kernels have another one. */
  @ParameterizedTest
  @ValueSource(ints = {7, 16, 20, 37})
  void anyNaNIsAsGoodAsAnother(int n) {
    var random = new SplittableRandom(n);
    var under = SessionUnderTest.kept(1, Protection.CORRECT, Compute.VECTOR);
    var session = under.session();
    under.reports().clear();
    try (var arena = Arena.ofShared()) {
      var a = nans(arena, random, 29, 12);
      var b = nans(arena, random, 12, n);
      session.seal(a);
      session.seal(b);
      var c = Tensor.zeros(arena, DType.FLOAT32, 29, n);
      long before = session.counters().duplicated();
      assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
      assertThat(c.toArray()).containsOnly(Float.NaN);
      assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
      assertThat(under.reports()).isEmpty();
      assertThat(session.counters().duplicated()).as("computed twice").isGreaterThan(before);
    }
  }

  /** A matrix of different NaN. */
  private static Tensor nans(Arena arena, SplittableRandom random, int rows, int columns) {
    var memory = arena.allocate(4L * rows * columns, 64);
    for (int i = 0; i < rows * columns; i++) {
      int sign = random.nextInt() & 1 << 31;
      memory.setAtIndex(ValueLayout.JAVA_INT, i, sign | 0x7FC00000 | random.nextInt(1 << 22));
    }
    return Tensor.wrap(memory, DType.FLOAT32, rows, columns);
  }
}
