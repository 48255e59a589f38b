package dev.regolith.faultinjection.model;

import dev.regolith.faultinjection.model.RowsInput.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A plain forward pass of the Llama architecture (Touvron et al. 2023) in float32, one window at a
 * time, without a cache: RMSNorm (Zhang and Sennrich 2019), rotary embedding, grouped-query
 * attention, SwiGLU (Shazeer 2020). Tokens are bytes.
 *
 * <p>Written to be read and trusted, not to be fast. Immutable: any number of threads may use one
 * model at once. Every call allocates its activations on the heap.
 */
public final class LlamaModel {
  private final LlamaConfig config;
  private final LlamaWeights weights;
  private final List<Block> blocks;
  private final Projection head;
  private final RotaryEmbedding rotary;
  private final CausalAttention attention;

  /** The projections of a transformer block, beside its weights. */
  private record Block(
      LlamaWeights.Block weights,
      Projection query,
      Projection key,
      Projection value,
      Projection output,
      Projection gate,
      Projection up,
      Projection down) {

    Block(LlamaWeights.Block weights) {
      this(
          weights,
          new Projection(weights.query()),
          new Projection(weights.key()),
          new Projection(weights.value()),
          new Projection(weights.output()),
          new Projection(weights.gate()),
          new Projection(weights.up()),
          new Projection(weights.down()));
    }
  }

  /**
   * A model of these weights.
   *
   * @param weights of the shapes that the configuration asks for, as {@link LlamaWeights#read}
   *     makes them
   */
  public LlamaModel(LlamaConfig config, LlamaWeights weights) {
    this.config = config;
    this.weights = weights;
    this.blocks = weights.blocks().stream().map(Block::new).toList();
    this.head = new Projection(weights.head());
    this.rotary = new RotaryEmbedding(config.headWidth(), config.ropeBase(), config.context());
    this.attention =
        new CausalAttention(config.heads(), config.keyValueHeads(), config.headWidth());
  }

  /** Sizes and constants. */
  public LlamaConfig config() {
    return config;
  }

  /** All linear layers, in the order of computation. */
  public List<LinearLayer> linearLayers() {
    return weights.linearLayers();
  }

  /**
   * Unnormalised log-probabilities of the byte after each byte, [window.length x vocabulary].
   *
   * @param window bytes that are seen together, the first without context
   * @throws IllegalArgumentException if the window is empty or longer than the context
   */
  public Matrix logits(byte[] window) {
    return logits(window, PassObserver.NONE);
  }

  /**
   * As {@link #logits(byte[])}, and shows the input of everything that is computed.
   *
   * @param observer called on the caller's thread
   */
  public Matrix logits(byte[] window, PassObserver observer) {
    if (window.length == 0 || window.length > config.context()) {
      throw new IllegalArgumentException(
          "expected a window of 1 to %d bytes, found %d: cut the text"
              .formatted(config.context(), window.length));
    }
    Matrix x = embed(window);
    for (int i = 0; i < blocks.size(); i++) {
      Block block = blocks.get(i);
      String name = "layers.%d.".formatted(i);
      Matrix attended = attend(block, name + "attention", x, observer);
      x = sum(name + "attention sum", x, attended, observer);
      Matrix fed = feedForward(block, name + "feed_forward", x, observer);
      x = sum(name + "feed_forward sum", x, fed, observer);
    }
    return head.apply(normalise("norm", x, weights.norm(), observer), observer);
  }

  /**
   * The inputs of all linear layers in a pass over the start of a text: one per layer, in the order
   * of computation.
   *
   * @param tokens rows of every activation matrix; at most the context and the text's length
   * @throws IllegalArgumentException if there are not that many
   */
  public List<LayerInput> activations(byte[] text, int tokens) {
    if (tokens < 1 || tokens > text.length) {
      throw new IllegalArgumentException(
          "expected 1 to %d tokens of a text of that length, found %d"
              .formatted(text.length, tokens));
    }
    var inputs = new ArrayList<LayerInput>();
    var observer =
        new PassObserver() {
          @Override
          public void linear(LayerInput input) {
            inputs.add(input);
          }
        };
    logits(Arrays.copyOf(text, tokens), observer);
    return List.copyOf(inputs);
  }

  /**
   * What every attention is given in a pass over a window: one per block, in the order of
   * computation.
   *
   * @throws IllegalArgumentException if the window is empty or longer than the context
   */
  public List<AttentionInput> attentions(byte[] window) {
    var inputs = new ArrayList<AttentionInput>();
    var observer =
        new PassObserver() {
          @Override
          public void attention(AttentionInput input) {
            inputs.add(input);
          }
        };
    logits(window, observer);
    return List.copyOf(inputs);
  }

  /** What is computed row by row in a pass over a window, in the order of computation. */
  public List<RowsInput> rows(byte[] window) {
    var inputs = new ArrayList<RowsInput>();
    var observer =
        new PassObserver() {
          @Override
          public void rows(RowsInput input) {
            inputs.add(input);
          }
        };
    logits(window, observer);
    return List.copyOf(inputs);
  }

  private Matrix embed(byte[] window) {
    Matrix x = Matrix.zeros(window.length, config.width());
    for (int i = 0; i < window.length; i++) {
      int token = Byte.toUnsignedInt(window[i]);
      System.arraycopy(
          weights.embedding().values(),
          token * config.width(),
          x.values(),
          i * config.width(),
          config.width());
    }
    return x;
  }

  private Matrix attend(Block block, String name, Matrix x, PassObserver observer) {
    Matrix h = normalise(name + "_norm", x, block.weights().attentionNorm(), observer);
    Matrix queries = turn(name + " queries", block.query().apply(h, observer), observer);
    Matrix keys = turn(name + " keys", block.key().apply(h, observer), observer);
    Matrix values = block.value().apply(h, observer);
    observer.attention(new AttentionInput(name, queries, keys, values));
    return block.output().apply(attention.attend(queries, keys, values), observer);
  }

  private Matrix turn(String name, Matrix heads, PassObserver observer) {
    observer.rows(new RowsInput(Step.ROTATION, name, heads, null));
    return rotary.turn(heads);
  }

  private static Matrix sum(String name, Matrix x, Matrix y, PassObserver observer) {
    observer.rows(new RowsInput(Step.SUM, name, x, y));
    return x.plus(y);
  }

  private Matrix feedForward(Block block, String name, Matrix x, PassObserver observer) {
    Matrix h = normalise(name + "_norm", x, block.weights().feedForwardNorm(), observer);
    Matrix gate = block.gate().apply(h, observer);
    Matrix up = block.up().apply(h, observer);
    observer.rows(new RowsInput(Step.GATE, name + " gate", gate, up));
    return block.down().apply(swiGlu(gate, up), observer);
  }

  /** RMSNorm: every row divided by its root mean square, and multiplied by the gain. */
  private Matrix normalise(String name, Matrix x, Matrix gain, PassObserver observer) {
    observer.rows(new RowsInput(Step.NORM, name, x, gain));
    Matrix normal = Matrix.zeros(x.rows(), x.columns());
    for (int i = 0; i < x.rows(); i++) {
      double squares = 0;
      for (int j = 0; j < x.columns(); j++) {
        squares += (double) x.at(i, j) * x.at(i, j);
      }
      float inverse = (float) (1 / Math.sqrt(squares / x.columns() + config.normEpsilon()));
      for (int j = 0; j < x.columns(); j++) {
        normal.values()[i * x.columns() + j] = x.at(i, j) * inverse * gain.at(0, j);
      }
    }
    return normal;
  }

  /** {@code gate * sigmoid(gate) * up}, element by element. */
  private static Matrix swiGlu(Matrix gate, Matrix up) {
    Matrix product = Matrix.zeros(gate.rows(), gate.columns());
    for (int i = 0; i < product.values().length; i++) {
      double g = gate.values()[i];
      product.values()[i] = (float) (g / (1 + Math.exp(-g))) * up.values()[i];
    }
    return product;
  }
}
