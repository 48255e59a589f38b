package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.inject.RowsWorkload.Operator;
import dev.regolith.faultinjection.model.LlamaConfig;
import dev.regolith.faultinjection.model.Matrix;
import dev.regolith.faultinjection.model.RowsInput;
import dev.regolith.faultinjection.model.RowsInput.Step;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * The operators of a campaign: what every layer of the model computes row by row on a real forward
 * pass, the softmax of its logits, and variants that bring in what it lacks: the other operators,
 * results in place, operands nobody sealed, strided or of 16 bits, few rows, and legitimate NaN,
 * infinities and subnormal numbers.
 */
final class RowsWorkloads {
  /** Bytes of text, that is rows. */
  static final int TOKENS = 64;

  private static final float SCALE = 0.125f;
  private static final float[] NONE = {};

  private RowsWorkloads() {}

  /** All operators over one window of the model's text. */
  static List<RowsWorkload> of(TrainedModel model, int window) {
    byte[] text = model.text();
    int tokens = Math.min(TOKENS, text.length);
    int from = window % Math.max(1, text.length / tokens) * tokens;
    byte[] cut = Arrays.copyOfRange(text, from, from + tokens);
    LlamaConfig config = model.network().config();
    List<RowsInput> inputs = model.network().rows(cut);
    List<RowsWorkload> all = new ArrayList<>();
    for (RowsInput input : inputs) {
      all.add(step(input, config));
    }
    fuse(all, inputs, config);
    Matrix logits = model.network().logits(cut);
    RowsWorkload sampling =
        RowsWorkload.of("softmax of logits", Operator.SOFTMAX, logits.columns(), logits.values());
    all.add(sampling);
    addOthers(all, inputs, sampling, config);
    return List.copyOf(all);
  }

  private static RowsWorkload step(RowsInput input, LlamaConfig config) {
    float[] x = input.x().values();
    int columns = input.x().columns();
    String name = input.name();
    return switch (input.step()) {
      case NORM ->
          RowsWorkload.of(name, Operator.RMS_NORM, columns, x)
              .with(other(input), NONE, epsilon(config));
      case SUM -> RowsWorkload.of(name, Operator.ADD, columns, x, other(input));
      case GATE -> RowsWorkload.of(name, Operator.SILU, columns, x, other(input));
      case ROTATION -> {
        int width = config.headWidth();
        RowsWorkload heads =
            RowsWorkload.of(name, Operator.ROPE_OF_HEADS, width, x).ofHeads(columns / width);
        yield turning(heads, width / 2, config);
      }
    };
  }

  private static float[] other(RowsInput input) {
    return Objects.requireNonNull(input.other()).values();
  }

  private static float epsilon(LlamaConfig config) {
    return (float) config.normEpsilon();
  }

  /** The same operator with tables of angles. */
  private static RowsWorkload turning(RowsWorkload w, int pairs, LlamaConfig config) {
    int positions = RowsWorkload.FIRST + w.rows();
    var cosines = new float[positions * pairs];
    var sines = new float[positions * pairs];
    for (int at = 0; at < cosines.length; at++) {
      int position = at / pairs;
      double angle = position * Math.pow(config.ropeBase(), -(double) (at % pairs) / pairs);
      cosines[at] = (float) Math.cos(angle);
      sines[at] = (float) Math.sin(angle);
    }
    return w.with(cosines, sines, 1);
  }

  /** Sums of the residual stream with the norms that follow, as engines fuse them. */
  private static void fuse(List<RowsWorkload> all, List<RowsInput> inputs, LlamaConfig config) {
    for (int i = 0; i + 1 < inputs.size(); i++) {
      RowsInput sum = inputs.get(i);
      RowsInput norm = inputs.get(i + 1);
      if (sum.step() == Step.SUM && norm.step() == Step.NORM) {
        all.add(
            RowsWorkload.of(
                    sum.name() + " and " + norm.name(),
                    Operator.RMS_NORM_OF_SUM,
                    sum.x().columns(),
                    sum.x().values(),
                    other(sum))
                .with(other(norm), NONE, epsilon(config)));
      }
    }
  }

  private static void addOthers(
      List<RowsWorkload> all, List<RowsInput> inputs, RowsWorkload sampling, LlamaConfig config) {
    RowsWorkload norm = step(last(inputs, Step.NORM), config);
    RowsWorkload gate = step(last(inputs, Step.GATE), config);
    RowsWorkload sum = step(last(inputs, Step.SUM), config);
    RowsWorkload heads = step(last(inputs, Step.ROTATION), config);
    int columns = norm.columns();
    float[] bias = Arrays.copyOf(sum.y(), columns);
    float[] scores = sum.x();

    RowsWorkload scaled = RowsWorkload.of("scaled softmax", Operator.SOFTMAX, columns, scores);
    scaled = scaled.with(NONE, NONE, SCALE);
    RowsWorkload centred = RowsWorkload.of("LayerNorm", Operator.LAYER_NORM, columns, norm.x());
    centred = centred.with(norm.weight(), bias, norm.scalar());
    RowsWorkload unbiased =
        RowsWorkload.of("LayerNorm of a sum", Operator.LAYER_NORM_OF_SUM, columns, sum.x(), sum.y())
            .with(norm.weight(), NONE, norm.scalar());
    RowsWorkload fused =
        RowsWorkload.of("RMSNorm of a sum", Operator.RMS_NORM_OF_SUM, columns, sum.x(), sum.y())
            .with(norm.weight(), NONE, norm.scalar());
    RowsWorkload neighbours = RowsWorkload.of("rope", Operator.ROPE_INTERLEAVED, columns, norm.x());
    neighbours = turning(neighbours, columns * 3 / 8, config);
    RowsWorkload halves = RowsWorkload.of("rope of halves", Operator.ROPE_HALVES, columns, sum.y());
    halves = turning(halves, columns / 2, config);
    RowsWorkload gelu = RowsWorkload.of("GELU", Operator.GELU, gate.columns(), gate.x());
    RowsWorkload geluGate =
        RowsWorkload.of("GELU gate", Operator.GELU, gate.columns(), gate.x(), gate.y());
    RowsWorkload geluTanh =
        RowsWorkload.of("GELU, tanh", Operator.GELU_TANH, gate.columns(), gate.x());
    RowsWorkload geluTanhGate =
        RowsWorkload.of("GELU gate, tanh", Operator.GELU_TANH, gate.columns(), gate.x(), gate.y());

    all.addAll(List.of(scaled, centred, unbiased, neighbours, halves));
    all.addAll(List.of(gelu, geluGate, geluTanh, geluTanhGate));
    all.add(RowsWorkload.of("SiLU", Operator.SILU, gate.columns(), gate.x()));
    all.addAll(List.of(sampling.placed(), norm.placed(), fused.placed(), centred.placed()));
    all.addAll(List.of(heads.placed(), gate.placed(), sum.placed()));
    all.addAll(List.of(sampling.unsealed(), norm.unsealed(), unbiased.unsealed()));
    all.addAll(List.of(heads.unsealed(), gate.unsealed(), sum.unsealed(), sum.placed().unsealed()));
    all.addAll(List.of(sampling.turned(), norm.turned(), sum.turned(), gate.turned().unsealed()));
    all.add(norm.of("a row of " + norm.name(), Arrays.copyOf(norm.x(), columns)));
    all.add(norm.of("30 rows of " + norm.name(), Arrays.copyOf(norm.x(), 30 * columns)));
    all.add(special(sampling));
    all.add(special(norm));
    all.add(special(gate).placed());
    all.add(special(unbiased).unsealed());
    all.add(norm.halves(DType.BFLOAT16));
    all.add(gate.halves(DType.FLOAT16));
    all.add(sampling.unsealed().halves(DType.BFLOAT16));
    all.add(heads.placed().halves(DType.FLOAT16));
    all.add(fused.halves(DType.BFLOAT16));
    all.add(sum.turned().halves(DType.FLOAT16));
  }

  private static RowsInput last(List<RowsInput> inputs, Step step) {
    return inputs.stream().filter(input -> input.step() == step).toList().getLast();
  }

  /**
   * Some rows with a NaN or an infinity, one of nothing but minus infinity, some of nothing but
   * subnormal numbers; the others stay.
   */
  private static RowsWorkload special(RowsWorkload w) {
    int columns = w.columns();
    float[] x = w.x().clone();
    x[3 * columns + 17] = Float.NaN;
    x[9 * columns + 5] = Float.POSITIVE_INFINITY;
    x[12 * columns + 40] = Float.NEGATIVE_INFINITY;
    Arrays.fill(x, 20 * columns, 21 * columns, Float.NEGATIVE_INFINITY);
    for (int at = 40 * columns; at < 48 * columns; at++) {
      x[at] *= 0x1p-130f;
    }
    return w.of("special values, " + w.name(), x);
  }
}
