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
    BOTH,
    /** Where the host predicts. */
    HOST_EVIDENCE,
    /** Where the host predicts what a device computed. */
    DEVICE_HOST_EVIDENCE,
    /** Where a device predicts. */
    DEVICE_EVIDENCE;

    private boolean has(Computing computing) {
      return switch (this) {
        case BOTH -> true;
        case CPU -> computing == Computing.CPU;
        case DEVICE -> computing.onDevice();
        case HOST_EVIDENCE -> computing != Computing.RESIDENT;
        case DEVICE_HOST_EVIDENCE -> computing == Computing.DEVICE;
        case DEVICE_EVIDENCE -> computing == Computing.RESIDENT;
      };
    }
  }

  /** The windows of something that is computed in one way. */
  static <W extends Workload> List<Window<W>> of(List<PlacedWindow<W>> all, Computing computing) {
    return all.stream()
        .filter(placed -> placed.place.has(computing))
        .map(PlacedWindow::window)
        .toList();
  }
}
