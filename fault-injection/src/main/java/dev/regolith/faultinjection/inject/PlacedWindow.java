package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.probe.ProbePoint;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;

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

  /** A command that is lost, whatever is computed. */
  private static <W extends Workload> PlacedWindow<W> lost(String label, ProbePoint command) {
    return new PlacedWindow<>(
        Place.DEVICE,
        new Window<>(
            "device-commands", label, Window.When.DURING, workload -> true, EnumSet.of(command)));
  }

  /** The windows of something that is computed in one way, and the commands that it may lose. */
  static <W extends Workload> List<Window<W>> of(List<PlacedWindow<W>> own, Computing computing) {
    Stream<PlacedWindow<W>> commands =
        Stream.of(
            lost("upload-lost", ProbePoint.DEVICE_UPLOAD),
            lost("kernel-never-ran", ProbePoint.DEVICE_LAUNCH),
            lost("download-lost", ProbePoint.DEVICE_DOWNLOAD),
            lost("evidence-lost", ProbePoint.DEVICE_EVIDENCE));
    return Stream.concat(own.stream(), commands)
        .filter(placed -> placed.place.has(computing))
        .map(PlacedWindow::window)
        .toList();
  }
}
