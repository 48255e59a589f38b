package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.probe.ProbePoint;

/**
 * Where the rows of a region of attention lie in a buffer, as queries or as a result; in floats.
 *
 * @param place of the first row
 * @param ofHead from there to the first row of the next query head
 * @param ofQuery from a row to that of the next query
 */
record RegionRows(DeviceObject buffer, long place, long ofHead, long ofQuery) {
  /** Rows one behind the other. */
  static RegionRows dense(DeviceObject buffer, AttentionRegion region, int columns) {
    return new RegionRows(buffer, 0, (long) region.queries * columns, columns);
  }

  /** Where a row is. */
  long of(AttentionRegion region, int row) {
    return place + row / region.queries * ofHead + row % region.queries * ofQuery;
  }

  /** Shows the stretch from the first row to the last to the probe. */
  void probe(DeviceQueue queue, ProbePoint point, AttentionRegion region, int columns) {
    long end = of(region, region.rows() - 1) + columns;
    queue.probe(point, buffer, 4 * place, 4 * (end - place));
  }

  /** Appends what kernels are told of it. */
  DeviceKernel describe(DeviceKernel kernel, AttentionRegion region) {
    return kernel.number(place).number(ofHead).number(ofQuery).number(region.queries);
  }
}
