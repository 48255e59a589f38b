package dev.regolith.jmh.launch;

import dev.regolith.jmh.rows.Row;
import java.util.List;
import java.util.Set;

/**
 * What one JVM is to measure.
 *
 * @param rows in this order
 * @param peers names of the peers that take part
 * @param alternatives whether computing twice and three times take part
 * @param pace name of the pace
 * @param seconds no row is begun later than this; enough is 1e9
 */
public record LaunchPlan(
    List<Row> rows, Set<String> peers, boolean alternatives, String pace, double seconds) {}
