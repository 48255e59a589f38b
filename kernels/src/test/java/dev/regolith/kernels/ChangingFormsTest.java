package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One session, operands of one shape in every form, one after the other: buffers are reused. */
@Tag("device")
class ChangingFormsTest {
  private static final int M = 31;
  private static final int K = 45;
  private static final int N = 29;

  private static Tensor padded(Arena arena, float[] values, int rows, int columns) {
    var room = new float[3 + rows * (columns + 5)];
    for (int i = 0; i < rows; i++) {
      System.arraycopy(values, i * columns, room, 3 + i * (columns + 5), columns);
    }
    return Tensor.of(arena, room, room.length)
        .strided(3, new long[] {rows, columns}, new long[] {columns + 5, 1});
  }

  private static Tensor turned(Arena arena, float[] values, int rows, int columns) {
    var turned = new float[rows * columns];
    for (int i = 0; i < turned.length; i++) {
      turned[i % columns * rows + i / columns] = values[i];
    }
    return Tensor.of(arena, turned, columns, rows).transposed();
  }

  private static Iterable<Tensor> forms(Arena arena, float[] values, int rows, int columns) {
    var forms = new ArrayList<Tensor>();
    forms.add(padded(arena, values, rows, columns));
    forms.add(Tensor.wrap(values.clone(), rows, columns));
    forms.add(turned(arena, values, rows, columns));
    forms.add(Tensor.of(arena, values, rows, columns));
    return forms;
  }

  @ParameterizedTest
  @EnumSource
  void bitsDoNotDependOnTheForm(Protection protection) {
    var random = new SplittableRandom(4);
    float[] a = Operand.gaussian(random, M * K);
    float[] b = Operand.gaussian(random, K * N);
    float[] old = Operand.gaussian(random, M * N);
    try (var session = Regolith.open(options -> options.threads(2).protection(protection));
        var arena = Arena.ofShared()) {
      var plainA = Tensor.of(arena, a, M, K);
      var plainB = Tensor.of(arena, b, K, N);
      float[] expected = Chain.multiply(0.5f, plainA, plainB, 2, Tensor.of(arena, old, M, N));
      for (Tensor x : forms(arena, a, M, K)) {
        for (Tensor y : forms(arena, b, K, N)) {
          for (Tensor c : forms(arena, old, M, N)) {
            assertThat(session.gemm(0.5f, x, y, 2, c)).isEqualTo(Status.CLEAN);
            assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
          }
        }
      }
    }
  }

  @Test
  void shapesComeAndGo() {
    var random = new SplittableRandom(5);
    try (var session = Regolith.open(options -> options.threads(2));
        var arena = Arena.ofShared()) {
      for (int size : new int[] {40, 3, 130, 40, 1, 130, 3}) {
        var a = Tensor.of(arena, Operand.gaussian(random, size * K), size, K);
        var b = Tensor.of(arena, Operand.gaussian(random, K * size), K, size);
        var c = Tensor.wrap(new float[size * size], size, size);
        assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
        float[] expected = Chain.multiply(a, b);
        assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
      }
    }
  }
}
