package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TruthTest {
  private static final float[] A = {1.5f, -2.25f, 3.125f, 0.1f, 0.2f, 0.3f};
  private static final float[] B = {0.7f, 0.9f, -1.1f, 4, 5, 6};

  private static GemmWorkload workload() {
    return GemmWorkload.packed("2 x 3 x 2", 2, 3, 2, A, B);
  }

  @Test
  void followsTheChain() {
    float chain = Math.fma(A[2], B[2], Math.fma(A[1], B[1], Math.fma(A[0], B[0], 0f)));
    assertThat(GemmTruth.of(workload()).bits()[0]).isEqualTo(chain);
  }

  @Test
  void followsAlphaAndBeta() {
    float[] old = {1, 2, 3, 4};
    float bare = GemmTruth.of(workload()).bits()[3];
    float[] bits = GemmTruth.of(workload().onto("", 0.3f, -1.7f, old)).bits();
    assertThat(bits[3]).isEqualTo(Math.fma(0.3f, bare, -1.7f * 4));
  }

  @Test
  void tellsIdenticalInsideAndOutside() {
    var truth = GemmTruth.of(workload());
    float[] result = truth.bits().clone();
    assertThat(truth.judge(result)).isEqualTo(Truth.Judgement.IDENTICAL);
    result[1] = Math.nextUp(result[1]);
    assertThat(truth.judge(result)).isEqualTo(Truth.Judgement.INSIDE);
    result[2] *= 1.0001f;
    assertThat(truth.judge(result)).isEqualTo(Truth.Judgement.OUTSIDE);
    result[2] = Float.NaN;
    assertThat(truth.judge(result)).isEqualTo(Truth.Judgement.OUTSIDE);
  }

  /** However far that is, nothing finite is near an infinity. */
  @Test
  void anInfinityIsItselfAlone() {
    float infinite = Float.POSITIVE_INFINITY;
    var truth =
        GemmTruth.of(GemmWorkload.packed("", 1, 1, 1, new float[] {infinite}, new float[] {1}));
    assertThat(truth.judge(new float[] {infinite})).isEqualTo(Truth.Judgement.IDENTICAL);
    assertThat(truth.judge(new float[] {Float.MAX_VALUE})).isEqualTo(Truth.Judgement.OUTSIDE);
    assertThat(truth.judge(new float[] {-infinite})).isEqualTo(Truth.Judgement.OUTSIDE);
  }

  @Test
  void anyNanEqualsAnyNan() {
    var workload = GemmWorkload.packed("", 1, 1, 1, new float[] {Float.NaN}, new float[] {1});
    var truth = GemmTruth.of(workload);
    float other = Float.intBitsToFloat(0xffc12345);
    assertThat(truth.judge(new float[] {other})).isEqualTo(Truth.Judgement.IDENTICAL);
    assertThat(truth.judge(new float[] {1})).isEqualTo(Truth.Judgement.OUTSIDE);
  }
}
