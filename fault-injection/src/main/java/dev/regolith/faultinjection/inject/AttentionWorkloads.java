package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.inject.AttentionWorkload.Layout;
import dev.regolith.faultinjection.inject.AttentionWorkload.Rules;
import dev.regolith.faultinjection.inject.AttentionWorkload.Shape;
import dev.regolith.faultinjection.model.AttentionInput;
import dev.regolith.faultinjection.model.LlamaConfig;
import dev.regolith.faultinjection.model.Matrix;
import dev.regolith.faultinjection.model.TrainedModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * The attentions of a campaign: every layer of the model on a real forward pass, and variants that
 * bring in what single layers lack: several blocks and spans of keys, few queries of many heads,
 * masks, softcap, slopes, lengths and windows, a batch, other layouts, operands nobody sealed,
 * logarithms of sums, rows that see nothing, legitimate NaN and infinities, and keys and values in
 * caches.
 */
final class AttentionWorkloads {
  /** Bytes of text, that is queries and keys of a layer. */
  static final int TOKENS = 64;

  /** Keys of the long attentions: more than a span of 1024. */
  private static final int MANY_KEYS = 1200;

  private static final int FEW_QUERIES = 6;

  /** A forward pass of a model, from a byte of its text on. */
  record Pass(TrainedModel model, int from) {}

  private AttentionWorkloads() {}

  /** All attentions over one window of the model's text. */
  static List<AttentionWorkload> of(TrainedModel model, int window) {
    return of(model, window, new HashMap<>());
  }

  /**
   * The same.
   *
   * @param known forward passes that were made before, which neighbouring windows share
   */
  static List<AttentionWorkload> of(
      TrainedModel model, int window, Map<Pass, List<AttentionInput>> known) {
    LlamaConfig config = model.network().config();
    int longest = Math.min(config.context(), 4 * TOKENS);
    byte[] text = model.text();
    List<List<AttentionInput>> passes = new ArrayList<>();
    for (int keys = 0; keys < MANY_KEYS; keys += longest) {
      passes.add(
          known.computeIfAbsent(
              new Pass(model, window * longest + keys),
              pass -> model.network().attentions(cut(text, pass.from, longest))));
    }
    List<AttentionInput> layers = passes.getFirst();
    int last = layers.size() - 1;
    int middle = last / 2;

    List<AttentionWorkload> all = new ArrayList<>();
    for (AttentionInput layer : layers) {
      all.add(attention(layer.name(), config, List.of(layer), TOKENS, TOKENS));
    }
    AttentionWorkload first = all.getFirst();
    AttentionWorkload deepest = all.getLast();
    AttentionWorkload wide =
        attention(
            "several blocks, " + first.name(), config, List.of(layers.getFirst()), TOKENS, longest);
    List<AttentionInput> ofMiddle = passes.stream().map(pass -> pass.get(middle)).toList();
    String nameOfMiddle = layers.get(middle).name();
    AttentionWorkload stacked =
        attention("several spans, " + nameOfMiddle, config, ofMiddle, FEW_QUERIES, MANY_KEYS);
    AttentionWorkload token = attention("a token, " + nameOfMiddle, config, ofMiddle, 1, MANY_KEYS);
    AttentionWorkload pair = pair(first, all.get(last));

    all.add(wide.withLogSums());
    all.add(wide.laid("heads apart, " + wide.name(), Layout.APART));
    all.add(stacked.withLogSums());
    all.add(stacked.unsealed("unsealed, " + stacked.name()));
    all.add(first.unsealed("unsealed, " + first.name()).withLogSums());
    all.add(deepest.laid("turned, " + deepest.name(), Layout.TURNED));
    AttentionWorkload masked =
        wide.with("additive mask, " + wide.name(), wide.rules().mask(added(wide.shape())));
    all.add(masked);
    all.add(masked.unsealed("unsealed, " + masked.name()));
    all.add(
        deepest
            .with("hiding mask, " + deepest.name(), deepest.rules().hidden(hidden(deepest.shape())))
            .withLogSums());
    all.add(wide.with("softcap, " + wide.name(), wide.rules().softcap(4)));
    all.add(
        stacked.with(
            "softcap and slopes, " + stacked.name(),
            stacked.rules().softcap(20).slopes(slopes(config.heads()))));
    all.add(
        pair.with("lengths, " + pair.name(), pair.rules().keyLengths(TOKENS, TOKENS - 23))
            .withLogSums());
    all.add(wide.with("window, " + wide.name(), wide.rules().window(90)));
    all.add(withSpecialValues(deepest));
    all.add(wide.overCaches());
    all.add(stacked.withLogSums().overCaches());
    all.add(token.overCaches());
    all.add(
        pair.with("lengths, " + pair.name(), pair.rules().keyLengths(TOKENS, TOKENS - 23))
            .overCaches());
    return List.copyOf(all);
  }

  /** A stretch of the text, which goes round. */
  private static byte[] cut(byte[] text, int from, int length) {
    var cut = new byte[length];
    for (int i = 0; i < length; i++) {
      cut[i] = text[(from + i) % text.length];
    }
    return cut;
  }

  /** The last queries over the keys of one or several passes, one after the other. */
  private static AttentionWorkload attention(
      String name, LlamaConfig config, List<AttentionInput> passes, int queries, int keys) {
    var shape =
        new Shape(1, config.heads(), config.keyValueHeads(), queries, keys, config.headWidth());
    float[] q = rows(passes, AttentionInput::queries, keys);
    return new AttentionWorkload(
        name,
        shape,
        Arrays.copyOfRange(q, (keys - queries) * config.queryWidth(), q.length),
        rows(passes, AttentionInput::keys, keys),
        rows(passes, AttentionInput::values, keys),
        Rules.CAUSAL,
        Layout.SIDE_BY_SIDE,
        true,
        false,
        false);
  }

  private static float[] rows(
      List<AttentionInput> passes, Function<AttentionInput, Matrix> part, int count) {
    int columns = part.apply(passes.getFirst()).columns();
    var rows = new float[count * columns];
    int at = 0;
    for (AttentionInput pass : passes) {
      float[] values = part.apply(pass).values();
      int length = Math.min(values.length, rows.length - at);
      System.arraycopy(values, 0, rows, at, length);
      at += length;
    }
    return rows;
  }

  /** Two sequences in a batch. */
  private static AttentionWorkload pair(AttentionWorkload one, AttentionWorkload other) {
    Shape s = one.shape();
    return new AttentionWorkload(
        "batch of %s and %s".formatted(one.name(), other.name()),
        new Shape(2, s.heads(), s.kvHeads(), s.queries(), s.keys(), s.depth()),
        joined(one.q(), other.q()),
        joined(one.k(), other.k()),
        joined(one.v(), other.v()),
        one.rules(),
        one.layout(),
        one.sealed(),
        one.logSums(),
        one.cached());
  }

  private static float[] joined(float[] one, float[] other) {
    float[] joined = Arrays.copyOf(one, one.length + other.length);
    System.arraycopy(other, 0, joined, one.length, other.length);
    return joined;
  }

  /** Favours neighbours in threes, hides some keys, and all of them from one query. */
  private static float[] added(Shape shape) {
    var mask = new float[shape.queries() * shape.keys()];
    for (int i = 0; i < shape.queries(); i++) {
      for (int j = 0; j < shape.keys(); j++) {
        boolean hides = i == 7 || (i + 2 * j) % 11 == 0;
        mask[i * shape.keys() + j] = hides ? Float.NEGATIVE_INFINITY : -0.375f * ((i + j) % 3);
      }
    }
    return mask;
  }

  /** Hides some keys, and all of them from one query. */
  private static float[] hidden(Shape shape) {
    var mask = new float[shape.queries() * shape.keys()];
    for (int i = 0; i < shape.queries(); i++) {
      for (int j = 0; j < shape.keys(); j++) {
        boolean hides = i == 5 || (3 * i + j) % 7 == 0;
        mask[i * shape.keys() + j] = hides ? Float.NEGATIVE_INFINITY : 0;
      }
    }
    return mask;
  }

  /** Press, Smith and Lewis 2022. */
  private static float[] slopes(int heads) {
    var slopes = new float[heads];
    for (int h = 0; h < heads; h++) {
      slopes[h] = (float) Math.pow(2, -8.0 * (h + 1) / heads);
    }
    return slopes;
  }

  /** NaN and infinity in keys and values that some rows see, and in a key that none does. */
  private static AttentionWorkload withSpecialValues(AttentionWorkload workload) {
    Shape s = workload.shape();
    float[] k = workload.k().clone();
    float[] v = workload.v().clone();
    k[s.key(0, 0, 55) + 3] = Float.NaN;
    v[s.key(0, 0, 58) + 1] = Float.NaN;
    v[s.key(0, s.kvHeads() - 1, 50) + 2] = Float.POSITIVE_INFINITY;
    k[s.key(0, s.kvHeads() - 1, 20)] = Float.NaN;
    v[s.key(0, s.kvHeads() - 1, 20)] = Float.NEGATIVE_INFINITY;
    var mask = new float[s.queries() * s.keys()];
    for (int i = 0; i < s.queries(); i++) {
      mask[i * s.keys() + 20] = Float.NEGATIVE_INFINITY;
    }
    return workload
        .of("special values, " + workload.name(), workload.q(), k, v)
        .with("special values, " + workload.name(), workload.rules().hidden(mask));
  }
}
