package dev.regolith.jmh.measure;

import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;

/** A short look at somebody's speed, alone: good enough to choose by, not to publish. */
public final class SpeedTrial {
  private static final int TURNS = 12;

  private SpeedTrial() {}

  /** The fastest of a few turns, GFLOP/s. */
  public static double gflops(Contender contender, Row row) {
    try (var arena = Arena.ofShared()) {
      var problem = new Problem(row.shape(), arena);
      try (var entrant = Entrant.prepare(contender, row, problem, Pace.FULL, arena)) {
        double best = 0;
        for (int i = 0; i < TURNS; i++) {
          best = Math.max(best, entrant.turn());
        }
        return best * row.sizes().flops() / 1e9;
      }
    }
  }
}
