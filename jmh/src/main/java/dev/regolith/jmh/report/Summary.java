package dev.regolith.jmh.report;

import dev.regolith.jmh.launch.BenchResult;
import dev.regolith.jmh.machine.MachineFacts;
import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.statistics.Medians;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Everything that the report and {@code bench.json} say.
 *
 * @param result what was measured
 * @param machine where
 * @param reproduce the command that measures it again
 * @param rows the rows that were measured at least once
 */
public record Summary(
    BenchResult result, MachineFacts machine, String reproduce, List<RowFigures> rows) {

  /** Sums up. */
  public static Summary of(BenchResult result, MachineFacts machine, String reproduce) {
    return new Summary(
        result,
        machine,
        reproduce,
        result.rows().stream().map(row -> RowFigures.of(row, result.of(row))).toList());
  }

  /** Rows that were asked for and never measured. */
  List<Row> missing() {
    return result.plan().rows().stream().filter(row -> result.of(row).isEmpty()).toList();
  }

  /** GFLOP/s by number of threads. */
  SequencedMap<Integer, Double> fmaPeaks() {
    return ceiling(samples -> samples.fmaPeak().stream());
  }

  /** GB/s by number of threads; empty if no row read from memory. */
  SequencedMap<Integer, Double> readBandwidths() {
    return ceiling(samples -> samples.readBandwidth().stream());
  }

  /** The median of all rounds of all rows, in units of 1e9. */
  private SequencedMap<Integer, Double> ceiling(Function<RowSamples, Stream<Double>> rates) {
    var byThreads = new TreeMap<Integer, Stream.Builder<Double>>();
    for (Map<Row, RowSamples> launch : result.launches()) {
      launch
          .values()
          .forEach(samples -> {
            var all = byThreads.computeIfAbsent(samples.row().threads(), _ -> Stream.builder());
            rates.apply(samples).forEach(all);
          });
    }
    var medians = new TreeMap<Integer, Double>();
    byThreads.forEach((threads, all) -> {
      List<Double> list = all.build().toList();
      if (!list.isEmpty()) {
        medians.put(threads, Medians.of(list) / 1e9);
      }
    });
    return medians;
  }
}
