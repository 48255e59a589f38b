package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.regolith.faultinjection.inject.RowsWorkload.Operator;
import dev.regolith.faultinjection.inject.Truth.Judgement;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.tensor.DType;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class RowsTruthTest {
  private static final float[] X = {1, -2, 3, 0.5f};

  private static RowsWorkload workload(Operator operator) {
    return RowsWorkload.of("", operator, 4, X);
  }

  @Test
  void equalScoresShareARow() {
    float[] equal = {7, 7, 7, 7};
    Truth truth = RowsTruth.of(RowsWorkload.of("", Operator.SOFTMAX, 4, equal));
    assertThat(truth.bits()).containsExactly(0.25f, 0.25f, 0.25f, 0.25f);
    assertThat(truth.exact()).containsExactly(0.25, 0.25, 0.25, 0.25);
  }

  @Test
  void aRowThatSeesNothingIsZero() {
    float[] nothing = new float[4];
    Arrays.fill(nothing, Float.NEGATIVE_INFINITY);
    Truth truth = RowsTruth.of(RowsWorkload.of("", Operator.SOFTMAX, 4, nothing));
    assertThat(truth.bits()).containsOnly(0);
    assertThat(truth.judge(new float[] {0, 0, Float.MIN_VALUE, 0})).isEqualTo(Judgement.OUTSIDE);
  }

  @Test
  void normsHaveUnitSquares() {
    float[] ones = {1, 1, 1, 1};
    Truth truth = RowsTruth.of(workload(Operator.RMS_NORM).with(ones, new float[0], 0));
    double squares = 0;
    for (double each : truth.exact()) {
      squares += each * each / 4;
    }
    assertThat(squares).isCloseTo(1, within(1e-12));
    Truth centred = RowsTruth.of(workload(Operator.LAYER_NORM).with(ones, X, 0));
    assertThat(centred.exact()[0]).isCloseTo((1 - 0.625) / Math.sqrt(3.171875) + 1, within(1e-12));
  }

  @Test
  void aNormOfASumHasTheSumBehindIt() {
    float[] y = {2, 4, -1, 0.25f};
    float[] ones = {1, 1, 1, 1};
    Truth truth =
        RowsTruth.of(
            RowsWorkload.of("", Operator.RMS_NORM_OF_SUM, 4, X, y).with(ones, new float[0], 0));
    assertThat(truth.bits()).hasSize(8);
    assertThat(truth.bits()[4]).isEqualTo(3);
    assertThat(truth.bits()[7]).isEqualTo(0.75f);
  }

  /** By a quarter of a turn. */
  @Test
  void pairsAreTurned() {
    int positions = RowsWorkload.FIRST + 1;
    float[] cosines = new float[2 * positions];
    float[] sines = new float[2 * positions];
    Arrays.fill(sines, 1);
    Truth halves = RowsTruth.of(workload(Operator.ROPE_HALVES).with(cosines, sines, 1));
    assertThat(halves.bits()).containsExactly(-3, -0.5f, 1, -2);
    Truth neighbours = RowsTruth.of(workload(Operator.ROPE_INTERLEAVED).with(cosines, sines, 1));
    assertThat(neighbours.bits()).containsExactly(2, 1, -0.5f, 3);
  }

  @Test
  void halvesAreRoundedOnce() {
    float[] y = {0x1p-9f, 0, 0, 0};
    Truth truth = RowsTruth.of(RowsWorkload.of("", Operator.ADD, 4, X, y).halves(DType.BFLOAT16));
    assertThat(truth.bits()).containsExactly(X);
    assertThat(truth.judge(new float[] {1.0078125f, -2, 3, 0.5f})).isEqualTo(Judgement.OUTSIDE);
  }

  /** The envelope holds the canonical result with room, and is not so wide that it says nothing. */
  @Test
  void theEnvelopeIsRightAndTight() {
    for (RowsWorkload w : RowsWorkloads.of(TrainedModel.bundled(), 3)) {
      Truth truth = RowsTruth.of(w);
      double worst = 0;
      for (int i = 0; i < truth.bits().length; i++) {
        double exact = truth.exact()[i];
        if (Double.isFinite(exact)) {
          double error = Math.abs(truth.bits()[i] - exact);
          assertThat(error).as("%s, word %d", w.name(), i).isLessThanOrEqualTo(truth.envelope()[i]);
          double size = w.type().isHalf() ? 0.01 : 0.0001;
          assertThat(truth.envelope()[i])
              .as("%s, word %d", w.name(), i)
              .isLessThan(size * (1 + Math.abs(exact)));
          worst = Math.max(worst, error / Math.max(truth.envelope()[i], Double.MIN_NORMAL));
        }
      }
      assertThat(worst).as(w.name()).isGreaterThan(1e-2);
    }
  }

  /** Every operator, and every way of an operand, is in some workload. */
  @Test
  void theWorkloadsBringInEverything() {
    List<RowsWorkload> all = RowsWorkloads.of(TrainedModel.bundled(), 0);
    assertThat(all.stream().map(RowsWorkload::operator)).contains(Operator.values());
    for (Operator f : List.of(Operator.SILU, Operator.GELU, Operator.GELU_TANH)) {
      assertThat(all)
          .anyMatch(w -> w.operator() == f && w.y().length == 0)
          .anyMatch(w -> w.operator() == f && w.y().length > 0);
    }
    assertThat(all)
        .anyMatch(w -> w.inPlace() && w.operator().writesSum())
        .anyMatch(w -> w.inPlace() && !w.sealed())
        .anyMatch(w -> w.strided() && w.sealed())
        .anyMatch(w -> w.strided() && !w.sealed())
        .anyMatch(w -> w.type() == DType.BFLOAT16)
        .anyMatch(w -> w.type() == DType.FLOAT16)
        .anyMatch(w -> w.rows() == 1)
        .anyMatch(w -> w.columns() > 128 && w.columns() % 128 != 0);
    assertThat(all.stream().map(RowsWorkload::name)).doesNotHaveDuplicates();
  }
}
