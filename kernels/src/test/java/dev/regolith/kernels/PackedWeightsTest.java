package dev.regolith.kernels;

import static dev.regolith.kernels.fault.Component.PACKED_B;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights packed ahead: what a panel's digest cannot see, and who may use them. */
@Tag("device")
class PackedWeightsTest {
  private static final int M = 40;
  private static final int N = 70;
  private static final int K = 90;

  private final SplittableRandom random = new SplittableRandom(3);
  private final float[] aElements = Operand.gaussian(random, M * K);
  private final float[] bElements = Operand.gaussian(random, K * N);
  private final float[] expected =
      Chain.multiply(1, aElements, bElements, 0, new float[M * N], M, N, K);

  /**
   * Sign flips of two words of an odd column pass a digest; nothing wrong may get out.
   *
   * @param m so many rows that columns are checked, where that is done, or so few that rows are
   */
  @ParameterizedTest
  @ValueSource(ints = {M, N / 4})
  void twoSignFlipsInAColumn(int m) {
    try (var under = SessionUnderTest.open(o -> o.threads(1).protection(Protection.CORRECT));
        var arena = Arena.ofShared()) {
      var weights = under.session().pack(arena, Tensor.wrap(bElements, K, N).transposed());
      PackedB packed = weights.transposed().asRightOperand();
      flipSign(packed, 10, 1);
      flipSign(packed, 60, 1);
      var a = Tensor.of(arena, Arrays.copyOf(aElements, m * K), m, K);
      var c = Tensor.zeros(arena, DType.FLOAT32, m, N);
      assertThatThrownBy(() -> under.session().gemm(a, weights.transposed(), c))
          .isInstanceOf(UncorrectableFaultException.class);
      assertThat(c.toArray()[1]).as("the damaged column").isNaN();
    }
  }

  /** Whoever repairs may lose its core meanwhile: readers wait, and do not give up. */
  @Test
  void repairsThatTakeLong() throws Exception {
    try (var under = SessionUnderTest.open(o -> o.threads(1));
        var arena = Arena.ofShared()) {
      var session = under.session();
      var weights = session.pack(arena, Tensor.wrap(bElements, K, N).transposed());
      PackedB packed = weights.transposed().asRightOperand();
      var a = Tensor.of(arena, aElements, M, K);
      var c = Tensor.zeros(arena, DType.FLOAT32, M, N);
      var begun = new CountDownLatch(1);
      var goOn = new CountDownLatch(1);
      Runnable slow =
          () -> {
            begun.countDown();
            await(goOn);
          };
      var repair =
          new FutureTask<>(() ->
              packed
                  .repairs()
                  .alone(() -> {
                    packed.repairs().write(slow);
                    return true;
                  }));
      Thread.ofPlatform().start(repair);
      begun.await();
      var call = new FutureTask<>(() -> session.gemm(a, weights.transposed(), c));
      Thread caller = Thread.ofPlatform().start(call);
      while (!call.isDone() && caller.getState() != Thread.State.BLOCKED) {
        Thread.onSpinWait();
      }
      goOn.countDown();
      assertThat(repair.get()).isTrue();
      assertThat(call.get()).isNotEqualTo(Status.DETECTED);
      assertThat(c.toArray()).isEqualTo(expected);
      assertThat(session.counters().uncorrectable()).isZero();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void idleWeightsAreVerified() {
    try (var under = SessionUnderTest.open(o -> o.threads(1));
        var arena = Arena.ofShared()) {
      var session = under.session();
      var weights = session.pack(arena, Tensor.wrap(bElements, K, N).transposed());
      PackedB packed = weights.transposed().asRightOperand();
      byte[] panels = packed.panels().toArray(ValueLayout.JAVA_BYTE);
      byte[] records = packed.records().toArray(ValueLayout.JAVA_BYTE);
      assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
      flipSign(packed, 3, 0);
      flipSign(packed, 70, packed.panelColumns() * K); // another panel: another seal
      assertThat(session.verify(weights)).isEqualTo(Status.CORRECTED);
      assertThat(under.report().findings()).extracting("component").containsOnly(PACKED_B);
      int word = packed.records().get(ValueLayout.JAVA_INT, 44);
      packed.records().set(ValueLayout.JAVA_INT, 44, word ^ 1 << 20);
      packed.recordSeals()[1]++;
      assertThatThrownBy(() -> session.verify(weights))
          .isInstanceOf(UncorrectableFaultException.class);
      packed.recordSeals()[1]--;
      assertThat(session.verify(weights.transposed())).isEqualTo(Status.CORRECTED);
      packed.panelSeals()[2] ^= 8;
      assertThat(session.verify(weights)).isEqualTo(Status.CORRECTED);
      assertThat(session.verify(weights)).isEqualTo(Status.CLEAN);
      assertThat(packed.panels().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(panels);
      assertThat(packed.records().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(records);
    }
  }

  @Test
  void idleWeightsOfASessionThatOnlyDetects() {
    try (var under = SessionUnderTest.open(o -> o.threads(1).protection(Protection.DETECT));
        var arena = Arena.ofShared()) {
      var weights = under.session().pack(arena, Tensor.wrap(bElements, K, N).transposed());
      flipSign(weights.transposed().asRightOperand(), 3, 0);
      assertThat(under.session().verify(weights)).isEqualTo(Status.DETECTED);
      assertThat(under.session().verify(weights)).isEqualTo(Status.DETECTED);
    }
  }

  private static void flipSign(PackedB packed, int k, int column) {
    long word =
        packed.panelOffset(packed.panel(0, 0), 0) / 4 + (long) k * packed.panelColumns() + column;
    int value = packed.panels().getAtIndex(ValueLayout.JAVA_INT, word);
    packed.panels().setAtIndex(ValueLayout.JAVA_INT, word, value ^ Integer.MIN_VALUE);
  }

  /**
   * Squares at the edge of what float32 holds round in ways of their own; nothing is wrong.
   *
   * @param m as above
   */
  @ParameterizedTest
  @ValueSource(ints = {M, N / 4})
  void squaresBelowTheRange(int m) {
    var b = Operand.filled(7e-23f, K * N);
    float[] left = Arrays.copyOf(aElements, m * K);
    float[] exact = Chain.multiply(1, left, b, 0, new float[m * N], m, N, K);
    try (var under = SessionUnderTest.open(o -> o.threads(1));
        var arena = Arena.ofShared()) {
      var weights = under.session().pack(arena, Tensor.wrap(b, K, N).transposed());
      var a = Tensor.of(arena, left, m, K);
      var c = Tensor.zeros(arena, DType.FLOAT32, m, N);
      assertThat(under.session().gemm(a, weights.transposed(), c)).isEqualTo(Status.CLEAN);
      assertThat(ReferenceGemm.firstDifference(exact, c.toArray())).isEqualTo(-1);
    }
  }

  /** A session of another backend either refuses them or finds nothing wrong with them. */
  @Test
  void packedByAnotherBackend() {
    for (Compute packing : new Compute[] {Compute.BEST, Compute.SCALAR}) {
      Compute other = packing == Compute.BEST ? Compute.SCALAR : Compute.BEST;
      try (var packer = SessionUnderTest.open(o -> o.threads(1).compute(packing));
          var user = SessionUnderTest.open(o -> o.threads(1).compute(other));
          var arena = Arena.ofShared()) {
        var weights = packer.session().pack(arena, Tensor.wrap(bElements, K, N).transposed());
        var a = Tensor.of(arena, aElements, M, K);
        var c = Tensor.zeros(arena, DType.FLOAT32, M, N);
        try {
          assertThat(user.session().gemm(a, weights.transposed(), c)).isEqualTo(Status.CLEAN);
          assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
        } catch (IllegalArgumentException refused) {
          assertThat(refused).hasMessageContaining("pack it with this session");
        }
        assertThat(user.reports()).isEmpty();
      }
    }
  }
}
