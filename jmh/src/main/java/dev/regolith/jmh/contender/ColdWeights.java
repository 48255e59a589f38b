package dev.regolith.jmh.contender;

import dev.regolith.jmh.machine.Caches;
import dev.regolith.jmh.rows.Row;

/**
 * How many copies of the weights a computation goes through in turn. An engine reads all layers
 * before it comes back to one, so that decode rows must find their weights in memory: the copies
 * together are four times as large as the last-level cache. Other rows have one copy.
 */
public final class ColdWeights {
  private static final int CACHES = 4;

  private ColdWeights() {}

  /** Copies for a row on this machine. */
  public static int copies(Row row) {
    return copies(row, Caches.lastLevelBytes());
  }

  static int copies(Row row, long lastLevelBytes) {
    if (!row.readsFromMemory()) {
      return 1;
    }
    long bytes = 4L * row.shape().k() * row.shape().n();
    return Math.toIntExact(Math.ceilDiv(CACHES * lastLevelBytes, bytes));
  }
}
