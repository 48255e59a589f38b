package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.GemmCase.Shape;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;

/**
 * Every product has the bits of the scalar chain, whatever the caller chooses; nothing beside C is
 * written; what alpha or beta mute is not read; and no data raises an alarm.
 */
@Tag("device")
@Tag("machine")
class GemmBitsTest {
  @Property(tries = 1200, edgeCases = EdgeCasesMode.NONE)
  void bitsOfTheScalarChain(@ForAll("cases") GemmCase it) {
    try (var arena = Arena.ofShared()) {
      check(it, arena);
    }
  }

  private static void check(GemmCase it, Arena arena) {
    Shape s = it.shape();
    var random = new SplittableRandom(it.seed());
    boolean oneA = s.batch() == 0 || it.layouts().oneA();
    boolean oneB = s.batch() == 0 || it.layouts().oneB() || it.way().packed();
    float alpha = it.factors().alpha();
    float beta = it.factors().beta();

    float[] aElements = fill(it, random, (oneA ? 1 : s.matrices()) * s.m() * s.k(), alpha == 0);
    float[] bElements = fill(it, random, (oneB ? 1 : s.matrices()) * s.k() * s.n(), alpha == 0);
    float[] cElements = fill(it, random, s.matrices() * s.m() * s.n(), beta == 0);
    var a = Operand.of(arena, it.layouts().a(), oneA ? 0 : s.batch(), s.m(), s.k(), aElements);
    var b = Operand.of(arena, it.layouts().b(), oneB ? 0 : s.batch(), s.k(), s.n(), bElements);
    var c = Operand.of(arena, it.layouts().c(), s.batch(), s.m(), s.n(), cElements);

    var under =
        SessionUnderTest.kept(it.way().threads(), it.way().protection(), it.way().compute());
    // With sealed operands a product takes other ways.
    if (it.way().protection() != Protection.OFF && it.seed() % 2 == 0) {
      under.session().seal(a.tensor());
      under.session().seal(b.tensor());
    }
    Status status;
    if (it.way().packed()) {
      var weights = under.session().pack(arena, b.tensor().transposed());
      status = under.session().gemm(alpha, a.tensor(), weights.transposed(), beta, c.tensor());
    } else {
      status = under.session().gemm(alpha, a.tensor(), b.tensor(), beta, c.tensor());
    }

    float[] expected = expected(s, alpha, aElements, oneA, bElements, oneB, beta, cElements);
    assertThat(c.firstDifference(expected)).as("word of C's memory that differs").isEqualTo(-1);
    assertThat(a.firstChange()).as("word of A's memory that changed").isEqualTo(-1);
    assertThat(b.firstChange()).as("word of B's memory that changed").isEqualTo(-1);
    assertThat(status).isEqualTo(Status.CLEAN);
    assertThat(under.reports()).isEmpty();
    boolean sealed =
        it.layouts().c().memory() == Operand.Memory.OWNED
            && it.way().protection() != Protection.OFF
            && expected.length > 0;
    assertThat(c.tensor().isSealed()).isEqualTo(sealed);
  }

  private static float[] fill(GemmCase it, SplittableRandom random, int count, boolean muted) {
    return muted ? Operand.filled(Float.NaN, count) : it.values().fill(random, count);
  }

  private static float[] expected(
      Shape s,
      float alpha,
      float[] a,
      boolean oneA,
      float[] b,
      boolean oneB,
      float beta,
      float[] c) {
    int size = s.m() * s.n();
    var result = new float[s.matrices() * size];
    for (int p = 0; p < s.matrices(); p++) {
      float[] product =
          Chain.multiply(
              alpha,
              part(a, oneA ? 0 : p, s.m() * s.k()),
              part(b, oneB ? 0 : p, s.k() * s.n()),
              beta,
              part(c, p, size),
              s.m(),
              s.n(),
              s.k());
      System.arraycopy(product, 0, result, p * size, size);
    }
    return result;
  }

  private static float[] part(float[] all, int index, int size) {
    return Arrays.copyOfRange(all, index * size, (index + 1) * size);
  }

  @Provide
  Arbitrary<GemmCase> cases() {
    return GemmCases.any();
  }

  /** The quick reference is the plain one. */
  @Property(tries = 50)
  void theReferenceItself(@ForAll long seed, @ForAll boolean old) {
    var random = new SplittableRandom(seed);
    int m = random.nextInt(12);
    int n = random.nextInt(12);
    int k = random.nextInt(40);
    var a = Tensor.wrap(GemmCase.Values.SPECIAL.fill(random, m * k), m, k);
    var b = Tensor.wrap(GemmCase.Values.SPECIAL.fill(random, k * n), k, n);
    var c = Tensor.wrap(GemmCase.Values.SPECIAL.fill(random, m * n), m, n);
    float beta = old ? 0.5f : 0;
    assertThat(
            ReferenceGemm.firstDifference(
                ReferenceGemm.multiply(-1.5f, a, b, beta, c), Chain.multiply(-1.5f, a, b, beta, c)))
        .isEqualTo(-1);
  }
}
