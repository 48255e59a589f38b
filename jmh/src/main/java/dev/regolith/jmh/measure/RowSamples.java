package dev.regolith.jmh.measure;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.rows.Row;
import java.util.List;
import java.util.Optional;

/**
 * What one JVM measured of one row. All lists of rates have one entry per round.
 *
 * @param row what was measured
 * @param racers those who finished
 * @param fmaPeak flop/s
 * @param readBandwidth bytes/s; empty unless the row reads from memory
 * @param failures those who did not, and why
 */
public record RowSamples(
    Row row,
    List<Sample> racers,
    List<Double> fmaPeak,
    List<Double> readBandwidth,
    List<Failure> failures) {

  /**
   * One contender's rates.
   *
   * @param impl who
   * @param way how, if there were several
   * @param callsPerSecond by round
   */
  public record Sample(Impl impl, String way, List<Double> callsPerSecond) {}

  /**
   * Someone who was not timed.
   *
   * @param impl who
   * @param reason why
   */
  public record Failure(Impl impl, String reason) {}

  /** The rates of a contender, if it finished. */
  public Optional<Sample> of(Impl impl) {
    return racers.stream().filter(sample -> sample.impl().equals(impl)).findFirst();
  }
}
