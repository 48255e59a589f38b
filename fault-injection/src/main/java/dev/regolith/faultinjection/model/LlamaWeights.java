package dev.regolith.faultinjection.model;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The weights of a Llama model, widened to float32.
 *
 * @param embedding a row per token, [vocabulary x width]
 * @param blocks the transformer blocks, in order
 * @param norm gain of the last normalisation, [1 x width]
 * @param head the layer that makes logits, [vocabulary x width]
 */
public record LlamaWeights(Matrix embedding, List<Block> blocks, Matrix norm, LinearLayer head) {

  /**
   * The weights of one transformer block.
   *
   * @param attentionNorm gain of the normalisation before attention, [1 x width]
   * @param query [heads * head width x width]
   * @param key [key-value heads * head width x width]
   * @param value [key-value heads * head width x width]
   * @param output [width x heads * head width]
   * @param feedForwardNorm gain of the normalisation before the feed-forward layer, [1 x width]
   * @param gate [feed-forward x width]
   * @param up [feed-forward x width]
   * @param down [width x feed-forward]
   */
  public record Block(
      Matrix attentionNorm,
      LinearLayer query,
      LinearLayer key,
      LinearLayer value,
      LinearLayer output,
      Matrix feedForwardNorm,
      LinearLayer gate,
      LinearLayer up,
      LinearLayer down) {

    /** The linear layers, in the order of computation. */
    public List<LinearLayer> linearLayers() {
      return List.of(query, key, value, output, gate, up, down);
    }
  }

  /** Keeps a copy of the list. */
  public LlamaWeights {
    blocks = List.copyOf(blocks);
  }

  /**
   * Reads all weights; the file has no further use then.
   *
   * @throws ModelFileException if a tensor is missing, of another type or shape, or not used
   */
  public static LlamaWeights read(SafeTensors file, LlamaConfig config) {
    return new Reader(file, config).weights();
  }

  /** All linear layers, in the order of computation. */
  public List<LinearLayer> linearLayers() {
    return Stream.concat(
            blocks.stream().flatMap(block -> block.linearLayers().stream()), Stream.of(head))
        .toList();
  }

  /** Reads tensors by their Hugging Face names and notes which it knows. */
  private record Reader(SafeTensors file, LlamaConfig config, Set<String> known) {

    Reader(SafeTensors file, LlamaConfig config) {
      this(file, config, new HashSet<>());
    }

    LlamaWeights weights() {
      Matrix embedding = matrix("model.embed_tokens", config.vocabulary(), config.width());
      var blocks = new ArrayList<Block>();
      for (int i = 0; i < config.layers(); i++) {
        blocks.add(block("model.layers." + i));
      }
      Matrix norm = gain("model.norm");
      LinearLayer head = linear("lm_head", config.vocabulary(), config.width());
      refuseUnread();
      return new LlamaWeights(embedding, blocks, norm, head);
    }

    private Block block(String name) {
      int width = config.width();
      return new Block(
          gain(name + ".input_layernorm"),
          linear(name + ".self_attn.q_proj", config.queryWidth(), width),
          linear(name + ".self_attn.k_proj", config.keyValueWidth(), width),
          linear(name + ".self_attn.v_proj", config.keyValueWidth(), width),
          linear(name + ".self_attn.o_proj", width, config.queryWidth()),
          gain(name + ".post_attention_layernorm"),
          linear(name + ".mlp.gate_proj", config.feedForward(), width),
          linear(name + ".mlp.up_proj", config.feedForward(), width),
          linear(name + ".mlp.down_proj", width, config.feedForward()));
    }

    private LinearLayer linear(String name, int out, int in) {
      return new LinearLayer(name, matrix(name, out, in));
    }

    private Matrix matrix(String name, int rows, int columns) {
      return new Matrix(rows, columns, tensor(name).ofShape(rows, columns).toFloats());
    }

    private Matrix gain(String name) {
      return new Matrix(1, config.width(), tensor(name).ofShape(config.width()).toFloats());
    }

    private StoredTensor tensor(String name) {
      known.add(name + ".weight");
      return file.tensor(name + ".weight");
    }

    /** A tensor that nobody reads (a bias, an adapter) means that the model is another one. */
    private void refuseUnread() {
      var unread = new TreeSet<>(file.tensors().keySet());
      unread.removeAll(known);
      if (!unread.isEmpty()) {
        throw new ModelFileException(
            file.tensor(unread.getFirst()).file(),
            "only tensors that config.json and the Llama architecture call for",
            unread.size() + " more, such as " + unread.getFirst(),
            "check that the two files belong together");
      }
    }
  }
}
