package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.statistics.Estimate;
import java.util.Map;
import java.util.Optional;

/**
 * What is said about one contender in one row.
 *
 * @param impl who
 * @param way how, if there were several ways
 * @param gflops speed, GFLOP/s
 * @param percentOfPeak of the multiply-add peak of as many threads
 * @param gigabytesPerSecond operands read and written once each
 * @param percentOfBandwidth of the read bandwidth of as many threads; where that is the ceiling
 * @param toPeers speed relative to each peer; of our own only
 * @param toUnprotected speed relative to our own without protection; of protected ones only
 */
record Figures(
    Impl impl,
    String way,
    Estimate gflops,
    Estimate percentOfPeak,
    Estimate gigabytesPerSecond,
    Optional<Estimate> percentOfBandwidth,
    Map<String, Estimate> toPeers,
    Optional<Estimate> toUnprotected) {

  /** The peer that is hardest to beat: the one that our relative speed is lowest to. */
  Optional<Map.Entry<String, Estimate>> toBestPeer() {
    return toPeers.entrySet().stream()
        .min(java.util.Comparator.comparingDouble(entry -> entry.getValue().median()));
  }

  /** Percent of what limits this row. */
  Estimate percentOfCeiling() {
    return percentOfBandwidth.orElse(percentOfPeak);
  }
}
