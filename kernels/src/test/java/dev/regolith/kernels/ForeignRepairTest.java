package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A damaged operand that a call has copied, and that somebody else puts back before the call looks
 * at its seals: the copies, and their own seals, are of the damaged word.
 */
@Tag("once")
class ForeignRepairTest {
  private static final int N = 140;

  /** What comes after operands were multiplied, copied or where they lie. */
  private static final Set<ProbePoint> MULTIPLIED =
      EnumSet.of(ProbePoint.PACKED_A_LAST_USE, ProbePoint.B_MULTIPLIED);

  /**
   * Rows of A: few, so that B is packed while computing, and more than a region has. With a short k
   * a sealed B is multiplied where it lies.
   */
  @ParameterizedTest
  @CsvSource({
    "40, 90, true",
    "40, 90, false",
    "40, 300, false",
    "300, 90, true",
    "300, 90, false",
    "10, 14, false",
    "300, 300, false"
  })
  void whatWasCopiedIsCopiedAgain(int m, int k, boolean damagesA) {
    var random = new SplittableRandom(m);
    try (var arena = Arena.ofShared();
        var under = SessionUnderTest.open(o -> o.compute(Compute.VECTOR).threads(1));
        var other = SessionUnderTest.open(o -> o.compute(Compute.VECTOR).threads(1))) {
      var columns = Tensor.of(arena, Operand.gaussian(random, k * m), k, m);
      Tensor a = columns.transposed(); // is copied
      var b = Tensor.of(arena, Operand.gaussian(random, k * N), k, N);
      float[] expected = Chain.multiply(a, b);
      Tensor damaged = damagesA ? columns : b;
      under.session().seal(damaged);
      var memory = damaged.storage().segment();
      int word = memory.getAtIndex(ValueLayout.JAVA_INT, 77);
      memory.setAtIndex(ValueLayout.JAVA_INT, 77, word ^ 1 << 30);
      var mended = new AtomicBoolean();
      Probe.Hook mends =
          (point, where, offset, rows, rowBytes, stride) -> {
            if (MULTIPLIED.contains(point) && !mended.getAndSet(true)) {
              assertThat(other.session().verify(damaged)).isEqualTo(Status.CORRECTED);
            }
          };
      var c = Tensor.zeros(arena, DType.FLOAT32, m, N);
      try (var _ = ProbeRelay.lend(mends)) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
      }
      assertThat(mended).isTrue();
      assertThat(c.toArray()).isEqualTo(expected);
      assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, 77)).isEqualTo(word);
    }
  }
}
