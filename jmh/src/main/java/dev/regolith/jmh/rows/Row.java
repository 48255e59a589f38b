package dev.regolith.jmh.rows;

/**
 * One line of the tables: what everybody computes in turn.
 *
 * @param group what it stands for
 * @param sizes how large it is, and which kernel it asks for
 * @param operands whether B was packed ahead; of an attention, whether keys and values were, in a
 *     cache
 * @param threads how many threads everybody may use
 */
public record Row(Group group, Sizes sizes, Operands operands, int threads) {
  /**
   * Whether the memory's read bandwidth is the ceiling: every weight is used a few times at most.
   */
  public boolean readsFromMemory() {
    return group == Group.DECODE || group == Group.ATTENTION_DECODE;
  }

  /** The same with operands that may be in the caches: good enough to choose a way by. */
  public Row warm() {
    Group warm = sizes instanceof Shape ? Group.WEIGHTS : Group.PREFILL;
    return new Row(warm, sizes, operands, threads);
  }

  /**
   * The sizes of a product.
   *
   * @throws IllegalStateException if the row asks for another kernel
   */
  public Shape shape() {
    if (sizes instanceof Shape shape) {
      return shape;
    }
    throw new IllegalStateException(sizes + " is no product");
  }

  /**
   * The sizes of an attention.
   *
   * @throws IllegalStateException if the row asks for another kernel
   */
  public AttentionShape attention() {
    if (sizes instanceof AttentionShape shape) {
      return shape;
    }
    throw new IllegalStateException(sizes + " is no attention");
  }

  @Override
  public String toString() {
    String what = sizes instanceof Shape ? sizes + " " + operands.id() : "attention " + sizes;
    return "%s, %d thread%s".formatted(what, threads, threads == 1 ? "" : "s");
  }
}
