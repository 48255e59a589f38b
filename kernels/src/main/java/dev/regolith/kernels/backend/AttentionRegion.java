package dev.regolith.kernels.backend;

/**
 * Rows of an attention's result that share keys and values: some queries of one head, or all
 * queries of several heads of a group; for a device, also all of several groups. Mutable and
 * reused.
 */
public final class AttentionRegion {
  /** Rows that the workspace of a CPU's backend has room for. */
  public static final int MAX_ROWS = 96;

  /** Sequence of the batch. */
  public long sequence;

  /** Key and value head, or the first of several. */
  public int kvHead;

  /** Number of key and value heads: one, if not all query heads of each are in the region. */
  public int kvHeads = 1;

  /** First query head. */
  public int head;

  /** Number of query heads. */
  public int heads;

  /** First query of each head. */
  public long query;

  /** Queries of each head. */
  public int queries;

  /** Number of the region in its call. */
  public int number;

  /** Checks that were made of it. */
  public long checks;

  /** Sum of the words of the result, as unsigned integers, made before they were stored. */
  public long stored;

  /** The same of the logarithms. */
  public long logarithms;

  /** Sets all, for one key and value head. */
  public AttentionRegion set(
      long newSequence, int newKvHead, int newHead, int newHeads, long newQuery, int newQueries) {
    return set(newSequence, newKvHead, 1, newHead, newHeads, newQuery, newQueries);
  }

  /** Sets all. */
  public AttentionRegion set(
      long newSequence,
      int newKvHead,
      int newKvHeads,
      int newHead,
      int newHeads,
      long newQuery,
      int newQueries) {
    sequence = newSequence;
    kvHead = newKvHead;
    kvHeads = newKvHeads;
    head = newHead;
    heads = newHeads;
    query = newQuery;
    queries = newQueries;
    return this;
  }

  /** The same rows. */
  public AttentionRegion set(AttentionRegion other) {
    number = other.number;
    return set(
        other.sequence,
        other.kvHead,
        other.kvHeads,
        other.head,
        other.heads,
        other.query,
        other.queries);
  }

  /** Whether another region is of the same rows. */
  public boolean isSame(AttentionRegion other) {
    return sequence == other.sequence
        && kvHead == other.kvHead
        && head == other.head
        && query == other.query;
  }

  /** Number of rows. */
  public int rows() {
    return heads * queries;
  }

  /** Rows that read the same keys. */
  public int rowsOfKvHead() {
    return rows() / kvHeads;
  }

  /** Query head of a row. */
  public int headOf(int row) {
    return head + row / queries;
  }

  /** Query of a row. */
  public long queryOf(int row) {
    return query + row % queries;
  }
}
