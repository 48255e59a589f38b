package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.faultinjection.inject.AttentionWorkload.Layout;
import dev.regolith.faultinjection.inject.AttentionWorkload.Rules;
import dev.regolith.faultinjection.inject.AttentionWorkload.Shape;
import dev.regolith.faultinjection.inject.Truth.Judgement;
import dev.regolith.faultinjection.model.TrainedModel;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class AttentionTruthTest {
  private static final float[] Q = {1, 2, 3, 4};
  private static final float[] K = {0.5f, -1, 2, 0.25f};
  private static final float[] V = {1, 10, 3, 20};

  private static AttentionWorkload workload(float[] k, Rules rules) {
    var shape = new Shape(1, 1, 1, 2, 2, 2);
    return new AttentionWorkload("", shape, Q, k, V, rules, Layout.APART, true, true, false);
  }

  @Test
  void theFirstQuerySeesTheFirstKey() {
    Truth truth = AttentionTruth.of(workload(K, Rules.CAUSAL));
    assertThat(Arrays.copyOf(truth.bits(), 2)).containsExactly(1, 10);
    float score = Math.fma(2 * (float) Math.sqrt(0.5), -1f, (float) Math.sqrt(0.5) * 0.5f);
    assertThat(truth.bits()[4]).isEqualTo(score);
  }

  @Test
  void equalKeysAreAveraged() {
    Truth truth = AttentionTruth.of(workload(new float[] {1, 2, 1, 2}, Rules.CAUSAL));
    assertThat(truth.bits()).startsWith(1, 10, 2, 15);
  }

  @Test
  void aRowThatSeesNothingIsZeroAndHasNoLogarithm() {
    float hides = Float.NEGATIVE_INFINITY;
    float[] mask = {hides, 0, 0, 0};
    Truth truth = AttentionTruth.of(workload(K, Rules.CAUSAL.hidden(mask)));
    assertThat(truth.bits()).startsWith(0, 0);
    assertThat(truth.bits()[4]).isEqualTo(Float.NEGATIVE_INFINITY);
    float[] other = truth.bits().clone();
    other[0] = Float.MIN_VALUE;
    assertThat(truth.judge(other)).isEqualTo(Judgement.OUTSIDE);
  }

  @Test
  void tellsIdenticalInsideAndOutside() {
    Truth truth = AttentionTruth.of(workload(K, Rules.CAUSAL));
    float[] result = truth.bits().clone();
    assertThat(truth.judge(result)).isEqualTo(Judgement.IDENTICAL);
    result[2] = Math.nextUp(result[2]);
    assertThat(truth.judge(result)).isEqualTo(Judgement.INSIDE);
    result[3] *= 1.0001f;
    assertThat(truth.judge(result)).isEqualTo(Judgement.OUTSIDE);
  }

  /** The envelope holds the canonical result with room, and is not so wide that it says nothing. */
  @Test
  void theEnvelopeIsRightAndTight() {
    List<AttentionWorkload> all = AttentionWorkloads.of(TrainedModel.bundled(), 3);
    for (AttentionWorkload w : all) {
      Truth truth = AttentionTruth.of(w);
      double worst = 0;
      for (int i = 0; i < truth.bits().length; i++) {
        double exact = truth.exact()[i];
        if (Double.isFinite(exact)) {
          double error = Math.abs(truth.bits()[i] - exact);
          assertThat(error).as("%s, word %d", w.name(), i).isLessThanOrEqualTo(truth.envelope()[i]);
          assertThat(truth.envelope()[i]).as("%s, word %d", w.name(), i).isLessThan(0.01);
          worst = Math.max(worst, error / Math.max(truth.envelope()[i], Double.MIN_NORMAL));
        }
      }
      assertThat(worst).as(w.name()).isGreaterThan(1e-3);
    }
  }

  /** Every feature that single layers lack is in some workload. */
  @Test
  void theWorkloadsBringInEverything() {
    List<AttentionWorkload> all = AttentionWorkloads.of(TrainedModel.bundled(), 0);
    assertThat(all)
        .anyMatch(w -> w.shape().keys() > 1024)
        .anyMatch(w -> w.shape().heads() > w.shape().kvHeads() && w.shape().queries() < 10)
        .anyMatch(w -> w.shape().batch() > 1 && w.rules().keyLengths() != null)
        .anyMatch(AttentionWorkload::hasAdditiveMask)
        .anyMatch(w -> w.rules().booleanMask())
        .anyMatch(w -> w.rules().softcap() > 0 && w.rules().slopes() != null)
        .anyMatch(w -> w.rules().left() > 0)
        .anyMatch(w -> !w.sealed())
        .anyMatch(w -> !w.isInPlace());
    assertThat(all.stream().map(AttentionWorkload::name)).doesNotHaveDuplicates();
  }
}
