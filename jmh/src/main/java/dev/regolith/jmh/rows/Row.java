package dev.regolith.jmh.rows;

/**
 * One line of the tables: a product that everybody computes in turn.
 *
 * @param group what it stands for
 * @param shape its sizes
 * @param operands whether B was packed ahead
 * @param threads how many threads everybody may use
 */
public record Row(Group group, Shape shape, Operands operands, int threads) {
  /** The only kernel there is so far. */
  public static final String KERNEL = "gemm";

  /**
   * Whether the memory's read bandwidth is the ceiling: every weight is used a few times at most.
   */
  public boolean readsFromMemory() {
    return group == Group.DECODE;
  }

  @Override
  public String toString() {
    return "%s %s, %d thread%s".formatted(shape, operands.id(), threads, threads == 1 ? "" : "s");
  }
}
