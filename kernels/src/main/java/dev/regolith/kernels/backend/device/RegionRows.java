package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionRegion;

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

  /** Appends what kernels are told of it. */
  DeviceKernel describe(DeviceKernel kernel, AttentionRegion region) {
    return kernel.number(place).number(ofHead).number(ofQuery).number(region.queries);
  }
}
