package dev.regolith.jmh.contender;

import dev.regolith.jmh.machine.Caches;
import dev.regolith.jmh.rows.Row;

/**
 * How many copies of the weights, or of keys and values, a computation goes through in turn. An
 * engine reads all layers before it comes back to one, so that decode rows must find theirs in
 * memory: the copies together are four times as large as the last-level cache (if that is more than
 * a GiB, so large, but at least twice as large), unless that takes thousands of them. Other rows
 * have one copy.
 */
public final class ColdWeights {
  private static final int CACHES = 4;

  private static final int LEAST_CACHES = 2;

  /** Bytes of all copies, where they do for so many caches: everybody who computes has its own. */
  private static final long ENOUGH = 1L << 30;

  /** Most copies: of what is so small that more are needed, the rest takes most of the memory. */
  private static final int MOST = 4096;

  private ColdWeights() {}

  /** Copies for a row on this machine. */
  public static int copies(Row row) {
    return copies(row, Caches.lastLevelBytes());
  }

  static int copies(Row row, long lastLevelBytes) {
    if (!row.readsFromMemory()) {
      return 1;
    }
    long all = Math.min(CACHES * lastLevelBytes, Math.max(ENOUGH, LEAST_CACHES * lastLevelBytes));
    long copies = Math.ceilDiv(all, row.sizes().coldBytes());
    return Math.toIntExact(Math.min(MOST, copies));
  }
}
