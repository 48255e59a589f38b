package dev.regolith.jmh.measure;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/** Rounds in which everybody has one turn. */
final class Race {
  /** Longer than anybody's waiting threads keep a core, ours included. */
  private static final long REST_NANOS = 1_000_000;

  private final Pace pace;
  private final LongSupplier clock;

  Race(Pace pace, LongSupplier clock) {
    this.pace = pace;
    this.clock = clock;
  }

  /** Rates by racer and round. */
  double[][] run(List<? extends Racer> racers) {
    var rates = new double[racers.size()][pace.mostRounds()];
    long start = clock.getAsLong();
    int round = 0;
    while (round < pace.mostRounds()) {
      for (int racer : Turns.of(round, racers.size())) {
        LockSupport.parkNanos(this, REST_NANOS);
        rates[racer][round] = racers.get(racer).turn();
      }
      round++;
      long spent = clock.getAsLong() - start;
      // A round that would end late by more than half of itself is not begun.
      if (round >= pace.leastRounds() && spent + spent / round / 2 > pace.rowNanos()) {
        break;
      }
    }
    int rounds = round;
    return Arrays.stream(rates).map(all -> Arrays.copyOf(all, rounds)).toArray(double[][]::new);
  }
}
