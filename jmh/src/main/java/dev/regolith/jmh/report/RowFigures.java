package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.measure.RowSamples.Sample;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.statistics.Estimate;
import dev.regolith.jmh.statistics.Medians;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleBiFunction;

/**
 * A row over all launches. Ratios are formed round by round; their median is a launch's word, and
 * the estimate is over launches.
 *
 * @param row which
 * @param all everybody who finished at least once
 */
record RowFigures(Row row, List<Figures> all) {

  static RowFigures of(Row row, List<RowSamples> launches) {
    var impls = new LinkedHashSet<Impl>();
    launches.forEach(launch -> launch.racers().forEach(sample -> impls.add(sample.impl())));
    var all = new ArrayList<Figures>();
    for (Impl impl : impls) {
      all.add(figures(row, impl, impls, launches));
    }
    return new RowFigures(row, List.copyOf(all));
  }

  Optional<Figures> of(Impl impl) {
    return all.stream().filter(figures -> figures.impl().equals(impl)).findFirst();
  }

  /** The peers, fastest first. */
  List<Figures> peers() {
    return all.stream()
        .filter(figures -> figures.impl().isPeer())
        .sorted((x, y) -> Double.compare(y.gflops().median(), x.gflops().median()))
        .toList();
  }

  private static Figures figures(
      Row row, Impl impl, Iterable<Impl> others, List<RowSamples> launches) {
    double flops = row.sizes().flops();
    var toPeers = new LinkedHashMap<String, Estimate>();
    if (!impl.isPeer()) {
      for (Impl other : others) {
        if (other.isPeer()) {
          ratio(impl, other, launches).ifPresent(ratio -> toPeers.put(other.name(), ratio));
        }
      }
    }
    return new Figures(
        impl,
        way(impl, launches),
        estimate(impl, launches, (launch, s) -> median(s) * flops / 1e9),
        estimate(
            impl,
            launches,
            (launch, s) -> 100 * flops * Medians.ofRatios(s.callsPerSecond(), launch.fmaPeak())),
        estimate(impl, launches, (launch, s) -> median(s) * row.sizes().bytes() / 1e9),
        row.readsFromMemory()
            ? Optional.of(
                estimate(
                    impl,
                    launches,
                    (launch, s) ->
                        100
                            * row.sizes().bytes()
                            * Medians.ofRatios(s.callsPerSecond(), launch.readBandwidth())))
            : Optional.empty(),
        toPeers,
        impl.isPeer() || impl.equals(Impl.OFF)
            ? Optional.empty()
            : ratio(impl, Impl.OFF, launches));
  }

  private static double median(Sample sample) {
    return Medians.of(sample.callsPerSecond());
  }

  private static Estimate estimate(
      Impl impl, List<RowSamples> launches, ToDoubleBiFunction<RowSamples, Sample> figure) {
    return Estimate.of(
        launches.stream()
            .flatMapToDouble(launch ->
                launch.of(impl).stream()
                    .mapToDouble(sample -> figure.applyAsDouble(launch, sample)))
            .toArray());
  }

  private static Optional<Estimate> ratio(Impl impl, Impl base, List<RowSamples> launches) {
    double[] ratios =
        launches.stream()
            .filter(launch -> launch.of(impl).isPresent() && launch.of(base).isPresent())
            .mapToDouble(launch ->
                Medians.ofRatios(
                    launch.of(impl).orElseThrow().callsPerSecond(),
                    launch.of(base).orElseThrow().callsPerSecond()))
            .toArray();
    return ratios.length == 0 ? Optional.empty() : Optional.of(Estimate.of(ratios));
  }

  /** The way that was taken in most launches; several if they differ, most frequent first. */
  private static String way(Impl impl, List<RowSamples> launches) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    launches.forEach(
        launch -> launch.of(impl).ifPresent(sample -> counts.merge(sample.way(), 1, Integer::sum)));
    return counts.entrySet().stream()
        .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
        .map(Map.Entry::getKey)
        .reduce((x, y) -> x + " / " + y)
        .orElse("");
  }
}
