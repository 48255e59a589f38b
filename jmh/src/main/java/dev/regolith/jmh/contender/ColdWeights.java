package dev.regolith.jmh.contender;

import dev.regolith.jmh.machine.Caches;
import dev.regolith.jmh.rows.Row;

/**
 * How many copies of the weights, or of keys and values, a computation goes through in turn. An
 * engine reads all layers before it comes back to one, so that decode rows must find theirs in
 * memory: the copies together are four times as large as the last-level cache. Other rows have one
 * copy.
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
    return Math.toIntExact(Math.ceilDiv(CACHES * lastLevelBytes, row.sizes().coldBytes()));
  }
}
