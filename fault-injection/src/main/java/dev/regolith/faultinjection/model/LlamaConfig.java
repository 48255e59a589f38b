package dev.regolith.faultinjection.model;

import java.util.List;

/**
 * Sizes and constants of a Llama model whose tokens are bytes.
 *
 * @param width length of a token's activation row
 * @param layers number of transformer blocks
 * @param heads query heads
 * @param keyValueHeads key and value heads; divides the number of query heads
 * @param headWidth length of one head's row; even
 * @param feedForward width of the feed-forward layer
 * @param vocabulary number of tokens, always 256
 * @param context largest number of tokens in a window
 * @param normEpsilon added to the mean square before its root is taken
 * @param ropeBase base of the wavelengths of the rotary embedding
 */
public record LlamaConfig(
    int width,
    int layers,
    int heads,
    int keyValueHeads,
    int headWidth,
    int feedForward,
    int vocabulary,
    int context,
    double normEpsilon,
    double ropeBase) {

  private static final int BYTE_VALUES = 1 << Byte.SIZE;
  private static final List<String> UNSUPPORTED_FEATURES =
      List.of(
          "tie_word_embeddings",
          "attention_bias",
          "mlp_bias",
          "rope_scaling",
          "rope_parameters",
          "quantization_config");
  private static final String UNSUPPORTED = "this model cannot be run here: choose another";

  /** Refuses sizes that do not fit together. */
  public LlamaConfig {
    for (int size : List.of(width, layers, heads, keyValueHeads, headWidth, feedForward, context)) {
      require(size > 0 && size <= 1 << 20, "sizes from 1 to 2^20", size);
    }
    require(vocabulary == BYTE_VALUES, "a vocabulary of 256 (tokens are bytes)", vocabulary);
    require(
        heads % keyValueHeads == 0,
        "query heads to be a multiple of the key-value heads",
        heads + " and " + keyValueHeads);
    require(headWidth % 2 == 0, "an even head width (rotary embedding)", headWidth);
    require((long) heads * headWidth <= 1 << 20, "heads * head width to be at most 2^20", heads);
    require(normEpsilon > 0 && normEpsilon < 1, "an epsilon between 0 and 1", normEpsilon);
    require(ropeBase > 1 && ropeBase < 1e12, "a rotary base between 1 and 1e12", ropeBase);
  }

  /**
   * Reads a {@code config.json} with the keys of Hugging Face.
   *
   * @param file what to call it in messages
   * @param json the whole file
   * @throws ModelFileException if it is broken or describes a model that cannot be run here
   */
  public static LlamaConfig parse(String file, byte[] json) {
    JsonObject config = JsonObject.parse(file, json);
    requireText(config, "model_type", "llama");
    requireText(config, "hidden_act", "silu");
    for (String feature : UNSUPPORTED_FEATURES) {
      requireOff(config, feature);
    }
    int width = config.integer("hidden_size");
    int heads = config.integer("num_attention_heads");
    try {
      return new LlamaConfig(
          width,
          config.integer("num_hidden_layers"),
          heads,
          config.has("num_key_value_heads") ? config.integer("num_key_value_heads") : heads,
          config.has("head_dim") ? config.integer("head_dim") : width / Math.max(heads, 1),
          config.integer("intermediate_size"),
          config.integer("vocab_size"),
          config.integer("max_position_embeddings"),
          config.number("rms_norm_eps"),
          config.number("rope_theta"));
    } catch (IllegalArgumentException mismatch) {
      throw new ModelFileException(file, mismatch, UNSUPPORTED);
    }
  }

  /** Length of a row that holds all query heads. */
  public int queryWidth() {
    return heads * headWidth;
  }

  /** Length of a row that holds all key heads, or all value heads. */
  public int keyValueWidth() {
    return keyValueHeads * headWidth;
  }

  private static void requireText(JsonObject config, String field, String expected) {
    String found = config.text(field);
    if (!found.equals(expected)) {
      throw config.refuse(field, expected, found, UNSUPPORTED);
    }
  }

  private static void requireOff(JsonObject config, String feature) {
    if (config.has(feature) && !config.isFalse(feature)) {
      throw config.refuse(feature, "false, null or no such field", "another value", UNSUPPORTED);
    }
  }

  private static void require(boolean holds, String expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException("expected %s, found %s".formatted(expected, found));
    }
  }
}
