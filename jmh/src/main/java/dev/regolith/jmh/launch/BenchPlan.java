package dev.regolith.jmh.launch;

import dev.regolith.jmh.measure.Pace;
import dev.regolith.jmh.peer.Waiting;
import dev.regolith.jmh.rows.Row;
import java.util.List;
import java.util.Set;

/**
 * A whole run.
 *
 * @param rows what is measured
 * @param launches in how many JVMs, one after the other
 * @param peers names of the peers that take part
 * @param waiting how the peers' threads wait
 * @param alternatives whether computing twice and three times take part
 * @param pace how much time a row gets
 * @param seconds the run ends by then, with what there is
 * @param coldSeconds how long a fresh JVM is watched for its warm-up
 */
public record BenchPlan(
    List<Row> rows,
    int launches,
    Set<String> peers,
    Waiting waiting,
    boolean alternatives,
    Pace pace,
    double seconds,
    double coldSeconds) {
  /** More than any run takes. */
  public static final double NO_LIMIT = 1e9;

  /** The steps that a progress display counts. */
  public int steps() {
    return rows.size() * launches;
  }

  LaunchPlan launch(double secondsLeft) {
    return new LaunchPlan(rows, peers, alternatives, pace.name(), secondsLeft);
  }
}
