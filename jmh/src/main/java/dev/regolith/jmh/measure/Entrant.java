package dev.regolith.jmh.measure;

import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;
import java.util.List;

/** A contender that made it to the start of a row, in the way that suits it best. */
final class Entrant implements Racer, AutoCloseable {
  /** Turns that each way gets to show its speed; one, if its calls are long. */
  private static final int TRIAL_TURNS = 4;

  private final Impl impl;
  private final Way way;
  private final Computation computation;
  private final Timed timed;

  private Entrant(Impl impl, Way way, Computation computation, Pace pace) {
    this.impl = impl;
    this.way = way;
    this.computation = computation;
    timed = new Timed(computation, pace.sliceNanos(), System::nanoTime);
  }

  /** Prepares the fastest of a contender's ways; its memory comes from the arena. */
  static Entrant prepare(Contender contender, Row row, Exercise exercise, Pace pace, Arena arena) {
    List<Way> ways = contender.ways(row);
    Way best = ways.getFirst();
    if (ways.size() > 1) {
      double bestRate = 0;
      for (Way way : ways) {
        double rate = rate(way, row, exercise, pace);
        if (rate > bestRate) {
          bestRate = rate;
          best = way;
        }
      }
    }
    return new Entrant(contender.impl(), best, best.prepare(row, exercise, arena), pace);
  }

  /** The rate of a way, from one copy of the weights, which nobody wants to make over and over. */
  private static double rate(Way way, Row row, Exercise exercise, Pace pace) {
    try (var arena = Arena.ofShared();
        var computation = way.prepare(row.warm(), exercise, arena)) {
      var timed = new Timed(computation, pace.sliceNanos(), System::nanoTime);
      long end = System.nanoTime() + TRIAL_TURNS * pace.sliceNanos();
      double best = timed.turn();
      while (System.nanoTime() < end) {
        best = Math.max(best, timed.turn());
      }
      return best;
    }
  }

  Impl impl() {
    return impl;
  }

  String way() {
    return way.name();
  }

  /** The result of one run into memory that held NaN. */
  float[] freshResult() {
    computation.spoil();
    computation.run();
    return computation.result();
  }

  /** The result of the last run. */
  float[] result() {
    return computation.result();
  }

  /**
   * Gets going. Peers were compiled long ago, and the alternatives run what we have run before.
   *
   * @param quietNanos how long nothing must change where something is compiled
   */
  void warmUp(WarmUp warmUp, long quietNanos) {
    boolean compiles = impl.equals(Impl.OFF) || impl.equals(Impl.CORRECT);
    warmUp.run(timed, compiles ? quietNanos : 0);
  }

  @Override
  public double turn() {
    return timed.turn();
  }

  @Override
  public void close() {
    computation.close();
  }
}
