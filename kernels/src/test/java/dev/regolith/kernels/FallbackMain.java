package dev.regolith.kernels;

import dev.regolith.kernels.tensor.Tensor;
import java.util.SplittableRandom;

/** Multiplies and says what computed; run by {@link FallbackTest} in a JVM of its own. */
final class FallbackMain {
  private FallbackMain() {}

  /** {@code strict} or {@code lenient}. */
  public static void main(String[] arguments) {
    boolean strict = arguments[0].equals("strict");
    var random = new SplittableRandom(4);
    var a = Tensor.wrap(Operand.gaussian(random, 7 * 530), 7, 530);
    var b = Tensor.wrap(Operand.gaussian(random, 530 * 20), 530, 20);
    var c = Tensor.wrap(new float[7 * 20], 7, 20);
    float[] expected = ReferenceGemm.multiply(1, a, b, 0, c);
    for (int i = 0; i < 2; i++) {
      try (var session = Regolith.open(options -> options.threads(2).strict(strict))) {
        var status = session.gemm(a, b, c);
        System.out.println("computed by " + session.backend() + ": " + status);
        System.out.println(
            "first difference: " + ReferenceGemm.firstDifference(expected, c.toArray()));
      } catch (IllegalStateException refusal) {
        System.out.println("refused: " + refusal.getMessage());
      }
    }
  }
}
