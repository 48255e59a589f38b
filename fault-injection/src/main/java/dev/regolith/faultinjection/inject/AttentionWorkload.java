package dev.regolith.faultinjection.inject;

import org.jspecify.annotations.Nullable;

/**
 * An attention with real operands. Heads lie side by side in the rows of all arrays: {@code [batch]
 * [row][head][column]}.
 *
 * @param name for the reader of the report
 * @param shape the extents
 * @param q queries
 * @param k keys
 * @param v values
 * @param rules who sees what, and what is done to scores
 * @param layout how operands and result lie in memory
 * @param sealed whether operands were sealed by whoever made them
 * @param logSums whether logarithms of sums of exponentials are asked for
 * @param cached whether keys and values were appended to caches, which the calls read
 */
@SuppressWarnings("ArrayRecordComponent") // a bundle of operands; nobody compares or prints it
record AttentionWorkload(
    String name,
    Shape shape,
    float[] q,
    float[] k,
    float[] v,
    Rules rules,
    Layout layout,
    boolean sealed,
    boolean logSums,
    boolean cached)
    implements Workload {
  /** Rows of a key head from which on a device's result is compared with one of them every time. */
  private static final int ALWAYS_SAMPLED = 128;

  /**
   * Extents.
   *
   * @param batch sequences
   * @param heads query heads
   * @param kvHeads key and value heads
   * @param queries queries of a sequence
   * @param keys keys of a sequence
   * @param depth head size
   */
  record Shape(int batch, int heads, int kvHeads, int queries, int keys, int depth) {
    int query(int sequence, int head, int row) {
      return ((sequence * queries + row) * heads + head) * depth;
    }

    int key(int sequence, int kvHead, int row) {
      return ((sequence * keys + row) * kvHeads + kvHead) * depth;
    }

    /** Key head that a query head reads. */
    int kvHead(int head) {
      return head / (heads / kvHeads);
    }
  }

  /**
   * Who sees what. Every query sees the keys up to its own position, and the last query of a
   * sequence stands at its last key.
   *
   * @param softcap bound of scores; 0 for none
   * @param left keys that a query sees before its own position; -1 for all
   * @param slopes linear bias of every head; null for none
   * @param keyLengths keys of every sequence; null for all
   * @param mask {@code [queries][keys]}, added to scores; minus infinity hides; null for none
   * @param booleanMask whether the mask only hides, and is given as bytes
   */
  @SuppressWarnings("ArrayRecordComponent")
  record Rules(
      float softcap,
      int left,
      float @Nullable [] slopes,
      int @Nullable [] keyLengths,
      float @Nullable [] mask,
      boolean booleanMask) {
    static final Rules CAUSAL = new Rules(0, -1, null, null, null, false);

    Rules softcap(float cap) {
      return new Rules(cap, left, slopes, keyLengths, mask, booleanMask);
    }

    Rules window(int before) {
      return new Rules(softcap, before, slopes, keyLengths, mask, booleanMask);
    }

    Rules slopes(float... ofHeads) {
      return new Rules(softcap, left, ofHeads, keyLengths, mask, booleanMask);
    }

    Rules keyLengths(int... ofSequences) {
      return new Rules(softcap, left, slopes, ofSequences, mask, booleanMask);
    }

    Rules mask(float[] added) {
      return new Rules(softcap, left, slopes, keyLengths, added, false);
    }

    Rules hidden(float[] hides) {
      return new Rules(softcap, left, slopes, keyLengths, hides, true);
    }
  }

  /** How tensors lie in memory. */
  enum Layout {
    /** {@code [batch, row, head * column]}. */
    SIDE_BY_SIDE,
    /** {@code [batch, head, row, column]}. */
    APART,
    /** {@code [batch, head, row, column]}, columns outermost in each head: the result is copied. */
    TURNED
  }

  /** The scale of scores. */
  float scale() {
    return (float) (1 / Math.sqrt((double) shape.depth()));
  }

  int keyLength(int sequence) {
    int[] lengths = rules.keyLengths();
    return lengths == null ? shape.keys() : lengths[sequence];
  }

  /** Key position of a query. */
  int position(int sequence, int query) {
    return keyLength(sequence) - shape.queries() + query;
  }

  boolean sees(int sequence, int query, int key) {
    int position = position(sequence, query);
    float[] mask = rules.mask();
    return key < keyLength(sequence)
        && key <= position
        && (rules.left() < 0 || key >= position - rules.left())
        && (mask == null || mask[query * shape.keys() + key] != Float.NEGATIVE_INFINITY);
  }

  /** Words of the result. */
  int resultSize() {
    return shape.batch() * shape.heads() * shape.queries() * shape.depth();
  }

  /** Place of a word of the result, as its tensor is read out in row-major order. */
  int result(int sequence, int head, int query, int column) {
    int heads = shape.heads();
    int row =
        layout == Layout.SIDE_BY_SIDE
            ? (sequence * shape.queries() + query) * heads + head
            : (sequence * heads + head) * shape.queries() + query;
    return row * shape.depth() + column;
  }

  /** Place of a row's logarithm. */
  int logSum(int sequence, int head, int query) {
    return (sequence * shape.heads() + head) * shape.queries() + query;
  }

  /** Whether kernels store into the result's own memory. */
  boolean isInPlace() {
    return layout != Layout.TURNED;
  }

  /** Whether a device can leave the result where it computed it. */
  boolean mayStay() {
    return layout != Layout.TURNED && !logSums;
  }

  /**
   * Whether the host computes a row of every key head of each call that a device computes: where
   * there are fewer, it does so now and then.
   */
  boolean isSampled() {
    return shape.queries() * shape.heads() / shape.kvHeads() >= ALWAYS_SAMPLED;
  }

  boolean hasAdditiveMask() {
    return rules.mask() != null && !rules.booleanMask();
  }

  AttentionWorkload with(String newName, Rules newRules) {
    return new AttentionWorkload(
        newName, shape, q, k, v, newRules, layout, sealed, logSums, cached);
  }

  AttentionWorkload of(String newName, float[] newQ, float[] newK, float[] newV) {
    return new AttentionWorkload(
        newName, shape, newQ, newK, newV, rules, layout, sealed, logSums, cached);
  }

  AttentionWorkload laid(String newName, Layout newLayout) {
    return new AttentionWorkload(
        newName, shape, q, k, v, rules, newLayout, sealed, logSums, cached);
  }

  AttentionWorkload unsealed(String newName) {
    return new AttentionWorkload(newName, shape, q, k, v, rules, layout, false, logSums, cached);
  }

  AttentionWorkload withLogSums() {
    return new AttentionWorkload(name, shape, q, k, v, rules, layout, sealed, true, cached);
  }

  AttentionWorkload overCaches() {
    return new AttentionWorkload(
        "cached, " + name, shape, q, k, v, rules, layout, sealed, logSums, true);
  }
}
