package dev.regolith.faultinjection.inject;

import java.util.List;

/**
 * A window, and where what it belongs to is computed.
 *
 * @param <W> the workloads
 */
record PlacedWindow<W extends Workload>(Place place, Window<W> window) {
  /** Where something is computed that has a window. */
  enum Place {
    CPU,
    DEVICE,
    BOTH
  }

  /** The windows of what the CPU computes, or of what a device does. */
  static <W extends Workload> List<Window<W>> of(List<PlacedWindow<W>> all, Place place) {
    return all.stream()
        .filter(placed -> placed.place == place || placed.place == Place.BOTH)
        .map(PlacedWindow::window)
        .toList();
  }
}
