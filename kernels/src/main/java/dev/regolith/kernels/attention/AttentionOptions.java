package dev.regolith.kernels.attention;

import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * How an attention differs from {@code softmax(Q K^T / sqrt(d)) V}. Immutable: every method gives
 * another one, so that an engine makes its options once and uses them for every layer and token.
 *
 * <p><b>Order of operations.</b> Scores are scaled, capped, biased by slopes, then masked, then go
 * through the softmax: the order of ONNX {@code Attention} since softcap was corrected, and of
 * Gemma 2. A key that a mask, a length, causality or a window hides is not read: NaN or infinity in
 * its key or value does not reach the row. A query that sees no key gives zeros.
 *
 * <p><b>Positions.</b> Key {@code j} stands at position {@code j}. Query {@code i} stands at {@code
 * origin + i}, where the origin follows from the {@link Alignment}. Causality, windows and slopes
 * count from there.
 */
public final class AttentionOptions {
  /** Where the first query stands among the keys. */
  public enum Alignment {
    /** At the first key: PyTorch's {@code is_causal}. */
    TOP_LEFT,
    /**
     * So that the last query stands at the last key, of its own sequence where lengths are given:
     * what decoding and chunked prefill over earlier keys need.
     */
    BOTTOM_RIGHT
  }

  private static final AttentionOptions DEFAULTS = new AttentionOptions();
  private static final long NONE = -1;

  /** Sums of positions do not overflow. */
  private static final long MOST_KEYS = 1L << 48;

  private float scale = Float.NaN;
  private float softcap;
  private Alignment alignment = Alignment.BOTTOM_RIGHT;
  private long origin = NONE;
  private long left = NONE;
  private long right = NONE;
  private @Nullable Tensor mask;
  private float @Nullable [] slopes;
  private long @Nullable [] keyLengths;
  private long @Nullable [] queryLengths;
  private @Nullable Tensor lse;
  private int heads;
  private int kvHeads;

  private AttentionOptions() {}

  private AttentionOptions(AttentionOptions other) {
    scale = other.scale;
    softcap = other.softcap;
    alignment = other.alignment;
    origin = other.origin;
    left = other.left;
    right = other.right;
    mask = other.mask;
    slopes = other.slopes;
    keyLengths = other.keyLengths;
    queryLengths = other.queryLengths;
    lse = other.lse;
    heads = other.heads;
    kvHeads = other.kvHeads;
  }

  /** Every query sees every key; scores are divided by the root of the head size. */
  public static AttentionOptions defaults() {
    return DEFAULTS;
  }

  /** Scores are multiplied with this, instead of {@code 1 / sqrt(d)}. */
  public AttentionOptions scale(float factor) {
    if (!Float.isFinite(factor)) {
      throw new IllegalArgumentException("the scale must be finite, not " + factor);
    }
    var changed = new AttentionOptions(this);
    changed.scale = factor;
    return changed;
  }

  /** Scores become {@code cap * tanh(score / cap)}; 0 for none. */
  public AttentionOptions softcap(float cap) {
    if (!(cap >= 0 && Float.isFinite(cap))) {
      throw new IllegalArgumentException("softcap must be positive, or 0 for none, not " + cap);
    }
    var changed = new AttentionOptions(this);
    changed.softcap = cap;
    return changed;
  }

  /**
   * A query sees keys up to its own position: aligned {@link Alignment#BOTTOM_RIGHT}, unless {@link
   * #aligned} or {@link #past} say otherwise, before or after.
   */
  public AttentionOptions causal() {
    var changed = new AttentionOptions(this);
    changed.right = 0;
    return changed;
  }

  /** A query sees keys up to its own position; replaces {@link #past}. */
  public AttentionOptions causal(Alignment where) {
    var changed = aligned(where);
    changed.right = 0;
    return changed;
  }

  /** Where queries stand, for windows and slopes without causality; replaces {@link #past}. */
  public AttentionOptions aligned(Alignment where) {
    var changed = new AttentionOptions(this);
    changed.alignment = where;
    changed.origin = NONE;
    return changed;
  }

  /** The first query of every sequence stands at this position: so many keys are from the past. */
  public AttentionOptions past(long keys) {
    if (keys < 0 || keys > MOST_KEYS) {
      throw new IllegalArgumentException(
          "the past must be 0 keys or more, up to %d, not %d".formatted(MOST_KEYS, keys));
    }
    var changed = new AttentionOptions(this);
    changed.origin = keys;
    return changed;
  }

  /**
   * A query sees at most so many keys before its own position, and so many behind; -1 for all.
   * Causality limits the right side as well.
   */
  public AttentionOptions window(long before, long behind) {
    if (before < -1 || behind < -1) {
      throw new IllegalArgumentException(
          "a window is -1 for all keys, or 0 and more, not %d and %d".formatted(before, behind));
    }
    var changed = new AttentionOptions(this);
    changed.left = before;
    changed.right = right == NONE ? behind : behind == NONE ? right : Math.min(right, behind);
    return changed;
  }

  /**
   * A mask over {@code [batch, heads, queries, keys]}, where any extent may be 1, and outer ones
   * left out: FLOAT32 is added to the scores (minus infinity hides the key), BOOL hides where it is
   * 0. Where a mask has fewer keys, but more than one, it hides those behind it, as that of ONNX
   * does.
   */
  public AttentionOptions mask(Tensor tensor) {
    var changed = new AttentionOptions(this);
    changed.mask = tensor;
    return changed;
  }

  /** ALiBi: {@code slope * (key position - query position)} is added, a slope for every head. */
  public AttentionOptions slopes(float... ofHeads) {
    var changed = new AttentionOptions(this);
    changed.slopes = ofHeads.clone();
    return changed;
  }

  /** Keys of every sequence; what follows in its tensor is padding that nobody reads. */
  public AttentionOptions keyLengths(long... ofSequences) {
    var changed = new AttentionOptions(this);
    changed.keyLengths = ofSequences.clone();
    return changed;
  }

  /** Queries of every sequence; what follows in its tensor is padding whose results are zeros. */
  public AttentionOptions queryLengths(long... ofSequences) {
    var changed = new AttentionOptions(this);
    changed.queryLengths = ofSequences.clone();
    return changed;
  }

  /**
   * Receives the logarithm of the sum of exponentials of every row, {@code [batch, heads,
   * queries]}: what merging partial results needs. Minus infinity for a query that sees no key.
   */
  public AttentionOptions logSumExp(Tensor tensor) {
    var changed = new AttentionOptions(this);
    changed.lse = tensor;
    return changed;
  }

  /** Tensors are {@code [batch, sequence, heads * d]}, with so many heads side by side. */
  public AttentionOptions heads(int ofQueries, int ofKeys) {
    if (ofQueries < 1 || ofKeys < 1) {
      throw new IllegalArgumentException(
          "heads must be 1 or more, not %d and %d".formatted(ofQueries, ofKeys));
    }
    var changed = new AttentionOptions(this);
    changed.heads = ofQueries;
    changed.kvHeads = ofKeys;
    return changed;
  }

  /** The scale for a head size. */
  public float scaleOf(long depth) {
    return Float.isNaN(scale) ? (float) (1 / Math.sqrt((double) depth)) : scale;
  }

  /** See {@link #softcap(float)}. */
  public float softcap() {
    return softcap;
  }

  /** Where the first query of a sequence of so many queries and keys stands. */
  public long originOf(long queries, long keys) {
    if (origin != NONE) {
      return origin;
    }
    return alignment == Alignment.TOP_LEFT ? 0 : keys - queries;
  }

  /** Keys seen before a query's position; -1 for all. */
  public long left() {
    return left;
  }

  /** Keys seen behind a query's position; -1 for all. */
  public long right() {
    return right;
  }

  /** See {@link #mask(Tensor)}. */
  public @Nullable Tensor mask() {
    return mask;
  }

  /** See {@link #slopes(float...)}; not to be modified. */
  public float @Nullable [] slopes() {
    return slopes;
  }

  /** See {@link #keyLengths(long...)}; not to be modified. */
  public long @Nullable [] keyLengths() {
    return keyLengths;
  }

  /** See {@link #queryLengths(long...)}; not to be modified. */
  public long @Nullable [] queryLengths() {
    return queryLengths;
  }

  /** See {@link #logSumExp(Tensor)}. */
  public @Nullable Tensor logSumExp() {
    return lse;
  }

  /** Query heads of tensors that have them side by side; 0 if they are a dimension. */
  public int queryHeads() {
    return heads;
  }

  /** Key heads, the same. */
  public int kvHeads() {
    return kvHeads;
  }
}
