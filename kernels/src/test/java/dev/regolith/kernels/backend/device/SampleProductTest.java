package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.GemmProblem;
import java.lang.foreign.ValueLayout;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

/** What a library of a vendor is tried with tells float32 from shorter formats, in any order. */
class SampleProductTest {
  private static final int PANEL = 16;

  @Test
  void anyOrderHasItsBits() {
    try (var sample = SampleProduct.ofIntegers(PANEL)) {
      multiplyBackwards(sample.problem(), x -> x);
      assertThat(sample.isRight()).isTrue();
    }
  }

  /** Eleven digits, as TensorFloat-32 and binary16 have; bfloat16 has fewer. */
  @Test
  void shorterFormatsHaveNot() {
    try (var sample = SampleProduct.ofIntegers(PANEL)) {
      multiplyBackwards(sample.problem(), SampleProductTest::toElevenDigits);
      assertThat(sample.isRight()).isFalse();
    }
  }

  private static double toElevenDigits(double x) {
    double unit = Math.ulp(x) * 0x1p42;
    return Math.rint(x / unit) * unit;
  }

  private static void multiplyBackwards(GemmProblem p, DoubleUnaryOperator rounding) {
    for (int i = 0; i < p.rows; i++) {
      for (int j = 0; j < p.columns; j++) {
        float sum = 0;
        for (int k = (int) p.depth - 1; k >= 0; k--) {
          float x = p.a.getAtIndex(ValueLayout.JAVA_FLOAT, i * p.depth + k);
          sum += (float) rounding.applyAsDouble(x) * p.b.get(0, k, j);
        }
        float old = p.oldC.getAtIndex(ValueLayout.JAVA_FLOAT, i * p.columns + j);
        float result = p.alpha * sum + p.beta * old;
        p.c.setAtIndex(ValueLayout.JAVA_FLOAT, i * p.columns + j, result);
      }
    }
  }
}
