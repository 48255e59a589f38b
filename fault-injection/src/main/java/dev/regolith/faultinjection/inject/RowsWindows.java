package dev.regolith.faultinjection.inject;

import static dev.regolith.faultinjection.inject.Window.When.AFTER;
import static dev.regolith.faultinjection.inject.Window.When.BEFORE;
import static dev.regolith.faultinjection.inject.Window.When.DURING;
import static dev.regolith.faultinjection.inject.Window.When.SECOND;
import static dev.regolith.kernels.probe.ProbePoint.C_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_SUMS;
import static dev.regolith.kernels.probe.ProbePoint.HALVES_READ;
import static dev.regolith.kernels.probe.ProbePoint.HALVES_ROUNDED;
import static dev.regolith.kernels.probe.ProbePoint.HALVES_WIDENED;
import static dev.regolith.kernels.probe.ProbePoint.ROW_INPUT_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.ROW_INPUT_READ;
import static dev.regolith.kernels.probe.ProbePoint.ROW_INPUT_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.ROW_REPEATED;
import static dev.regolith.kernels.probe.ProbePoint.ROW_STORED;
import static dev.regolith.kernels.probe.ProbePoint.ROW_SUMS;

import dev.regolith.faultinjection.inject.PlacedWindow.Place;
import dev.regolith.faultinjection.inject.Window.When;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.EnumSet;
import java.util.List;

/** The map of row operators: every buffer, in every stretch of its life. */
final class RowsWindows {
  /** Which workloads have the buffer. */
  private enum Offer {
    ANY,
    /** Operands that were sealed by whoever made them, read where they lie. */
    SEALED,
    /** An operand that the result takes the place of, sealed by whoever made it. */
    REPLACED,
    /** Results that are stored where they are read from. */
    PLAIN,
    HALVES,
    HALVES_SEALED;

    boolean by(RowsWorkload workload) {
      return switch (this) {
        case ANY -> true;
        case SEALED -> workload.sealed() && workload.isPlain() && !workload.inPlace();
        case REPLACED -> workload.sealed() && workload.isPlain() && workload.inPlace();
        case PLAIN -> workload.isPlain();
        case HALVES -> workload.type().isHalf();
        case HALVES_SEALED -> workload.type().isHalf() && workload.sealed() && !workload.inPlace();
      };
    }
  }

  /**
   * All of them. Where a device computes, the copies of operands and results in its memory are
   * struck as it sees them, and commands are lost.
   */
  private static final List<PlacedWindow<RowsWorkload>> LINES =
      List.of(
          line(Place.CPU, "input", "before-call", BEFORE, Offer.SEALED, ROW_INPUT_READ),
          line(Place.CPU, "input", "before-call, in place", BEFORE, Offer.REPLACED, ROW_STORED),
          line(Place.BOTH, "input", "sealed-to-read", DURING, Offer.ANY, ROW_INPUT_READ),
          line(Place.BOTH, "input", "last-use-to-check", DURING, Offer.ANY, ROW_INPUT_LAST_USE),
          line(Place.CPU, "input", "check-to-next-read", AFTER, Offer.SEALED, ROW_INPUT_READ),
          line(Place.BOTH, "row-sums", "added-up-to-read", DURING, Offer.ANY, ROW_SUMS),
          line(Place.CPU, "row-sums", "second, added-up-to-read", SECOND, Offer.ANY, ROW_SUMS),
          line(Place.BOTH, "result", "store-to-check", DURING, Offer.ANY, ROW_STORED),
          line(Place.CPU, "result", "return-to-next-read", AFTER, Offer.PLAIN, ROW_STORED),
          line(Place.BOTH, "repeated", "computed-to-compared", DURING, Offer.ANY, ROW_REPEATED),
          line(Place.BOTH, "halves", "before-call", BEFORE, Offer.HALVES_SEALED, HALVES_READ),
          line(Place.BOTH, "halves", "sealed-to-widened", DURING, Offer.HALVES, HALVES_READ),
          line(Place.BOTH, "halves", "widened-to-compared", DURING, Offer.HALVES, HALVES_WIDENED),
          line(Place.BOTH, "halves", "rounded-to-compared", DURING, Offer.HALVES, HALVES_ROUNDED),
          line(Place.BOTH, "halves", "return-to-next-read", AFTER, Offer.HALVES, HALVES_ROUNDED),
          line(Place.BOTH, "seals", "before-call", BEFORE, Offer.SEALED, ROW_INPUT_SEAL),
          line(Place.BOTH, "seals", "made-to-compared", DURING, Offer.ANY, ROW_INPUT_SEAL),
          line(
              Place.BOTH,
              "seals",
              "check-to-next-read",
              AFTER,
              Offer.SEALED,
              ROW_INPUT_SEAL,
              C_SEAL),
          line(Place.DEVICE, "device-sums", "made-to-download", DURING, Offer.ANY, DEVICE_SUMS));

  private RowsWindows() {}

  /** Those of operators that are computed in one way. */
  static List<Window<RowsWorkload>> of(Computing computing) {
    return PlacedWindow.of(LINES, computing);
  }

  private static PlacedWindow<RowsWorkload> line(
      Place place, String site, String label, When when, Offer offer, ProbePoint point) {
    return line(place, site, label, when, offer, point, point);
  }

  private static PlacedWindow<RowsWorkload> line(
      Place place,
      String site,
      String label,
      When when,
      Offer offer,
      ProbePoint one,
      ProbePoint other) {
    return new PlacedWindow<>(
        place, new Window<>(site, label, when, offer::by, EnumSet.of(one, other)));
  }
}
