package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Products that are computed twice: what is computed a second time may be another NaN. */
class TinyProductTest {
  /**
   * Which NaN a product of two is depends on their order, and the second time has the other one.
   */
  @ParameterizedTest
  @ValueSource(ints = {7, 16, 20, 37})
  void anyNaNIsAsGoodAsAnother(int n) {
    var random = new SplittableRandom(n);
    var under = SessionUnderTest.kept(1, Protection.CORRECT, Compute.VECTOR);
    var session = under.session();
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
      if (SessionUnderTest.isInMachineCode()) {
        assertThat(session.counters().duplicated()).as("computed as any other").isEqualTo(before);
      }
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
