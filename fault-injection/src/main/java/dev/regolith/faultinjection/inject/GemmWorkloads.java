package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.model.LayerInput;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The products of a campaign: every linear layer of the model on a real forward pass, and variants
 * of them that bring in what single layers lack: k-blocks, an unpacked right operand, one that is
 * multiplied where it lies, an old C, factors, operands nobody sealed, strided operands, operands
 * and results of 16 bits, and legitimate NaN, infinities and subnormal numbers.
 */
final class GemmWorkloads {
  /** Bytes of text, that is rows of A. */
  static final int TOKENS = 64;

  /** From here on a product has several k-blocks; the stacked products reach beyond. */
  private static final int STACKED_DEPTH = 2048;

  /**
   * Rows and columns of products that are multiplied where they lie and have columns that fill no
   * register tile.
   */
  private static final int[][] PARTS = {{12, 20}, {30, 34}, {64, 100}};

  /** Rows of products with a deep B that is multiplied where it lies. */
  private static final int[] FEW = {1, 2, 11};

  private GemmWorkloads() {}

  /** All products over one window of the model's text. */
  static List<GemmWorkload> of(TrainedModel model, int window) {
    byte[] text = model.text();
    int tokens = Math.min(TOKENS, text.length);
    int windows = Math.max(1, text.length / tokens);
    int from = window % windows * tokens;
    List<LayerInput> inputs =
        model.network().activations(Arrays.copyOfRange(text, from, from + tokens), tokens);
    List<GemmWorkload> all = new ArrayList<>();
    for (LayerInput input : inputs) {
      all.add(layer(input));
    }
    GemmWorkload widest = all.stream().max((x, y) -> Integer.compare(x.n(), y.n())).orElseThrow();
    GemmWorkload deepest = all.stream().max((x, y) -> Integer.compare(x.k(), y.k())).orElseThrow();
    GemmWorkload first = all.getFirst();
    GemmWorkload stacked = stack(inputs, deepest);
    all.add(stacked);
    all.add(stacked.fresh("fresh, " + stacked.name()));
    all.add(stacked.unsealed("unsealed, " + stacked.name()));
    all.add(widest.fresh("fresh, " + widest.name()));
    all.add(widest.fresh("").unsealed("fresh and unsealed, " + widest.name()));
    all.add(first.direct("direct, " + first.name()));
    all.add(widest.direct("direct, " + widest.name()));
    for (int[] part : PARTS) {
      all.add(
          first
              .part("", part[0], part[1])
              .direct("direct, %d x %d of %s".formatted(part[0], part[1], first.name())));
    }
    GemmWorkload special = stacked.of("", specialRowsFirst(stacked));
    for (int rows : FEW) {
      String what = "%d rows of %s".formatted(rows, stacked.name());
      all.add(stacked.part("", rows, stacked.n()).direct("direct, " + what));
      all.add(special.part("", rows, stacked.n()).direct("direct, special values, " + what));
    }
    all.add(widest.strided("strided, " + widest.name()));
    all.add(stacked.strided("").fresh("fresh and strided, " + stacked.name()));
    float[] residual = repeat(first.a(), first.m() * deepest.n());
    all.add(
        first
            .onto("", 0.5f, 1, repeat(first.a(), first.m() * first.n()))
            .direct("direct, residual, " + first.name()));
    all.add(deepest.onto("residual, " + deepest.name(), 1, 1, residual));
    all.add(
        stacked.onto(
            "scaled residual, " + stacked.name(),
            0.5f,
            -1.25f,
            repeat(first.a(), stacked.m() * stacked.n())));
    all.add(widest.of("special values, " + widest.name(), withSpecialValues(widest)));
    all.add(
        stacked
            .of("special values, " + stacked.name(), withSpecialValues(stacked))
            .fresh("fresh, special values, " + stacked.name()));
    addHalves(all, first, widest, stacked);
    return all;
  }

  /** Products of 16 bits, where operands are widened and results rounded. */
  private static void addHalves(
      List<GemmWorkload> all, GemmWorkload first, GemmWorkload widest, GemmWorkload stacked) {
    all.add(first.halves("bfloat16, " + first.name(), DType.BFLOAT16));
    all.add(first.halves("float16, " + first.name(), DType.FLOAT16));
    all.add(widest.fresh("").halves("fresh, bfloat16, " + widest.name(), DType.BFLOAT16));
    all.add(
        widest
            .fresh("")
            .unsealed("")
            .halves("fresh and unsealed, float16, " + widest.name(), DType.FLOAT16));
    all.add(
        stacked
            .onto("", 0.5f, -1.25f, repeat(first.a(), stacked.m() * stacked.n()))
            .halves("scaled residual, bfloat16, " + stacked.name(), DType.BFLOAT16));
    all.add(
        first
            .onto("", 1, 1, repeat(first.a(), first.m() * first.n()))
            .strided("")
            .halves("strided residual, float16, " + first.name(), DType.FLOAT16));
  }

  private static GemmWorkload layer(LayerInput input) {
    var layer = input.layer();
    return GemmWorkload.packed(
        layer.name(),
        input.tokens(),
        layer.in(),
        layer.out(),
        input.activations().values(),
        layer.weight().values());
  }

  /** Layers of one shape side by side along k: the sum of their outputs, as one deep product. */
  private static GemmWorkload stack(List<LayerInput> inputs, GemmWorkload pattern) {
    List<LayerInput> same =
        inputs.stream()
            .filter(i -> i.layer().in() == pattern.k() && i.layer().out() == pattern.n())
            .toList();
    int layers = Math.ceilDiv(STACKED_DEPTH, pattern.k());
    int k = layers * pattern.k();
    var a = new float[pattern.m() * k];
    var weights = new float[pattern.n() * k];
    for (int l = 0; l < layers; l++) {
      LayerInput input = same.get(l % same.size());
      place(input.activations().values(), pattern.m(), pattern.k(), a, k, l * pattern.k());
      place(input.layer().weight().values(), pattern.n(), pattern.k(), weights, k, l * pattern.k());
    }
    return GemmWorkload.packed(
        "stacked x%d, %s".formatted(layers, pattern.name()),
        pattern.m(),
        k,
        pattern.n(),
        a,
        weights);
  }

  private static void place(float[] from, int rows, int columns, float[] to, int stride, int left) {
    for (int i = 0; i < rows; i++) {
      System.arraycopy(from, i * columns, to, i * stride + left, columns);
    }
  }

  private static float[] repeat(float[] values, int length) {
    var result = new float[length];
    for (int i = 0; i < length; i++) {
      result[i] = values[i % values.length];
    }
    return result;
  }

  /** The same, rows with subnormal numbers, a NaN, infinities before those that stay. */
  private static float[] specialRowsFirst(GemmWorkload workload) {
    float[] a = withSpecialValues(workload);
    int k = workload.k();
    var rows = new float[a.length];
    int[] first = {40, 3, 9, 30};
    for (int row = 0; row < workload.m(); row++) {
      int from = row < first.length ? first[row] : row;
      System.arraycopy(a, from * k, rows, row * k, k);
    }
    return rows;
  }

  /** Some rows with a NaN, an infinity, or nothing but subnormal numbers; the others stay. */
  private static float[] withSpecialValues(GemmWorkload workload) {
    float[] a = workload.a().clone();
    int k = workload.k();
    a[3 * k + 17] = Float.NaN;
    a[9 * k + 5] = Float.POSITIVE_INFINITY;
    a[30 * k + 40] = Float.NEGATIVE_INFINITY;
    for (int row = 40; row < 48; row++) {
      for (int j = 0; j < k; j++) {
        a[row * k + j] *= 0x1p-130f;
      }
    }
    return a;
  }
}
