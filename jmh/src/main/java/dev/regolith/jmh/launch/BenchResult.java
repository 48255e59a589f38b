package dev.regolith.jmh.launch;

import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.rows.Row;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What was measured, complete or not.
 *
 * @param plan what was asked for
 * @param configuration of the default session; empty before the first launch
 * @param present peers by name, with version and kernel choice
 * @param absent peers by name, with the reason
 * @param openBlasTrial GFLOP/s by core type of OpenBLAS, the first being its own choice
 * @param openBlasCore the core type that was taken; empty is its own choice
 * @param launches what each JVM measured
 * @param coldStarts the first seconds of other JVMs
 * @param problems what went wrong
 * @param interrupted whether the user ended it
 * @param seconds how long it took
 */
public record BenchResult(
    BenchPlan plan,
    Map<String, String> configuration,
    Map<String, String> present,
    Map<String, String> absent,
    Map<String, Double> openBlasTrial,
    String openBlasCore,
    List<Map<Row, RowSamples>> launches,
    List<ColdStart> coldStarts,
    List<String> problems,
    boolean interrupted,
    double seconds) {

  /** The samples of a row, one entry per launch that reached it. */
  public List<RowSamples> of(Row row) {
    return launches.stream().filter(map -> map.containsKey(row)).map(map -> map.get(row)).toList();
  }

  /** Rows that were measured at least once, in the order of the plan. */
  public List<Row> rows() {
    var seen = new LinkedHashMap<Row, Boolean>();
    for (Row row : plan.rows()) {
      if (!of(row).isEmpty()) {
        seen.put(row, true);
      }
    }
    return List.copyOf(seen.keySet());
  }
}
