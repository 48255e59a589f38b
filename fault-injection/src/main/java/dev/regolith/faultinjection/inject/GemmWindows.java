package dev.regolith.faultinjection.inject;

import static dev.regolith.faultinjection.inject.Window.When.AFTER;
import static dev.regolith.faultinjection.inject.Window.When.AGAIN;
import static dev.regolith.faultinjection.inject.Window.When.BEFORE;
import static dev.regolith.faultinjection.inject.Window.When.DURING;
import static dev.regolith.faultinjection.inject.Window.When.FIRST;
import static dev.regolith.kernels.probe.ProbePoint.A_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.A_PREDICTED;
import static dev.regolith.kernels.probe.ProbePoint.A_READ;
import static dev.regolith.kernels.probe.ProbePoint.A_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.B_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.B_MULTIPLIED;
import static dev.regolith.kernels.probe.ProbePoint.B_READ;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_READ;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.COLUMN_SUMS_READ;
import static dev.regolith.kernels.probe.ProbePoint.C_CHECKED;
import static dev.regolith.kernels.probe.ProbePoint.C_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.C_STORED;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_A_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_A_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_B_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_B_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_C_KEPT;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_C_STORED;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_OLD_C_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_OLD_C_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_PANELS_UPLOAD;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_RECORDS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_RECORDS_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_SUMS;
import static dev.regolith.kernels.probe.ProbePoint.EVIDENCE;
import static dev.regolith.kernels.probe.ProbePoint.HALVES_READ;
import static dev.regolith.kernels.probe.ProbePoint.HALVES_ROUNDED;
import static dev.regolith.kernels.probe.ProbePoint.HALVES_WIDENED;
import static dev.regolith.kernels.probe.ProbePoint.OLD_C_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.OLD_C_READ;
import static dev.regolith.kernels.probe.ProbePoint.OLD_C_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_A_DIGEST;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_A_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_A_READ;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_A_WRITTEN;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_B_DIGEST;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_B_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_B_READ;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_B_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.PARTIAL_SUM_DIGEST;
import static dev.regolith.kernels.probe.ProbePoint.PARTIAL_SUM_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.PARTIAL_SUM_READ;
import static dev.regolith.kernels.probe.ProbePoint.TILE_WRITTEN;
import static dev.regolith.kernels.probe.ProbePoint.TOLERANCE;
import static dev.regolith.kernels.probe.ProbePoint.TOLERANCE_COEFFICIENTS_READ;

import dev.regolith.faultinjection.inject.PlacedWindow.Place;
import dev.regolith.faultinjection.inject.Window.When;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.EnumSet;
import java.util.List;

/** The map of products: every buffer, in every stretch of its life. */
final class GemmWindows {
  /** Which workloads have the buffer. */
  private enum Offer {
    ANY,
    SEALED,
    PACKED,
    PACKED_SEALED,
    FRESH,
    DIRECT,
    BLENDING,
    BLENDING_WORDS,
    IN_PLACE,
    HALVES,
    HALVES_SEALED;

    boolean by(GemmWorkload workload) {
      return switch (this) {
        case ANY -> true;
        case SEALED -> workload.sealed() && !workload.strided() && !isHalf(workload);
        case PACKED -> workload.packed();
        case PACKED_SEALED -> workload.packed() && SEALED.by(workload);
        case FRESH -> !workload.packed();
        case DIRECT -> workload.direct();
        case BLENDING -> workload.beta() != 0;
        case BLENDING_WORDS -> workload.beta() != 0 && !isHalf(workload);
        case IN_PLACE -> !workload.strided() && !isHalf(workload);
        case HALVES -> isHalf(workload);
        case HALVES_SEALED -> isHalf(workload) && workload.sealed();
      };
    }

    private static boolean isHalf(GemmWorkload workload) {
      return workload.type().isHalf();
    }
  }

  /**
   * All of them. Where a device computes, the host predicts and verifies, and the device's buffers
   * are struck as it sees them, before and after their last use; a fault on the way there is one
   * before it, a fault between two calls likewise.
   */
  private static final List<PlacedWindow<GemmWorkload>> LINES =
      List.of(
          line(Place.HOST_EVIDENCE, "a", "before-call", BEFORE, Offer.SEALED, A_READ),
          line(Place.CPU, "a", "copied-to-predicted", DURING, Offer.ANY, A_PREDICTED),
          line(
              Place.DEVICE_HOST_EVIDENCE,
              "a",
              "uploaded-to-predicted",
              DURING,
              Offer.ANY,
              A_READ,
              A_PREDICTED),
          line(Place.DEVICE_EVIDENCE, "a", "sealed-to-upload", DURING, Offer.ANY, A_READ),
          line(Place.BOTH, "a", "last-use-to-check", DURING, Offer.ANY, A_LAST_USE),
          line(Place.HOST_EVIDENCE, "a", "check-to-next-read", AFTER, Offer.SEALED, A_READ),
          line(Place.CPU, "weights", "before-call", BEFORE, Offer.PACKED, PACKED_B_READ),
          line(Place.CPU, "weights", "between-reads", AGAIN, Offer.PACKED, PACKED_B_READ),
          line(Place.CPU, "weights", "last-use-to-check", DURING, Offer.PACKED, PACKED_B_LAST_USE),
          line(Place.CPU, "weights", "check-to-next-read", AFTER, Offer.PACKED, PACKED_B_READ),
          line(Place.CPU, "b", "before-call", BEFORE, Offer.DIRECT, B_READ),
          line(Place.CPU, "b", "multiplied-to-summed-up", DURING, Offer.DIRECT, B_MULTIPLIED),
          line(Place.CPU, "b", "last-use-to-check", DURING, Offer.DIRECT, B_LAST_USE),
          line(Place.CPU, "b", "check-to-next-read", AFTER, Offer.DIRECT, B_READ),
          line(Place.CPU, "column-sums", "added-up-to-read", DURING, Offer.ANY, COLUMN_SUMS_READ),
          line(Place.CPU, "packed-a", "before-first-read", DURING, Offer.ANY, PACKED_A_WRITTEN),
          line(Place.CPU, "packed-a", "between-reads", DURING, Offer.ANY, PACKED_A_READ),
          line(Place.CPU, "packed-a", "last-use-to-check", DURING, Offer.ANY, PACKED_A_LAST_USE),
          line(Place.CPU, "packed-b", "before-first-read", FIRST, Offer.FRESH, PACKED_B_READ),
          line(Place.CPU, "packed-b", "between-reads", AGAIN, Offer.FRESH, PACKED_B_READ),
          line(Place.CPU, "packed-b", "last-use-to-check", DURING, Offer.FRESH, PACKED_B_LAST_USE),
          line(Place.CPU, "partial-sum", "between-k-blocks", DURING, Offer.ANY, PARTIAL_SUM_READ),
          line(
              Place.CPU,
              "partial-sum",
              "last-use-to-check",
              DURING,
              Offer.ANY,
              PARTIAL_SUM_LAST_USE),
          line(Place.CPU, "partial-sum", "finished-to-store", DURING, Offer.ANY, TILE_WRITTEN),
          line(Place.CPU, "c", "store-to-check", DURING, Offer.ANY, C_STORED),
          line(Place.DEVICE, "c", "download-to-check", DURING, Offer.ANY, C_STORED),
          line(Place.BOTH, "c", "check-to-return", DURING, Offer.ANY, C_CHECKED),
          line(Place.BOTH, "c", "return-to-next-read", AFTER, Offer.IN_PLACE, C_STORED),
          line(Place.BOTH, "old-c", "before-call", BEFORE, Offer.BLENDING_WORDS, C_STORED),
          line(Place.CPU, "old-c", "kept-to-read", DURING, Offer.BLENDING, OLD_C_READ),
          line(Place.BOTH, "old-c", "last-use-to-check", DURING, Offer.BLENDING, OLD_C_LAST_USE),
          line(Place.BOTH, "halves", "before-call", BEFORE, Offer.HALVES_SEALED, HALVES_READ),
          line(Place.BOTH, "halves", "sealed-to-widened", DURING, Offer.HALVES, HALVES_READ),
          line(Place.BOTH, "halves", "widened-to-compared", DURING, Offer.HALVES, HALVES_WIDENED),
          line(Place.BOTH, "halves", "rounded-to-compared", DURING, Offer.HALVES, HALVES_ROUNDED),
          line(Place.BOTH, "halves", "return-to-next-read", AFTER, Offer.HALVES, HALVES_ROUNDED),
          line(Place.BOTH, "evidence", "written-to-compared", DURING, Offer.ANY, EVIDENCE),
          line(
              Place.HOST_EVIDENCE,
              "check-vectors",
              "before-call",
              BEFORE,
              Offer.PACKED,
              CHECK_VECTORS_READ),
          line(Place.CPU, "check-vectors", "between-reads", AGAIN, Offer.ANY, CHECK_VECTORS_READ),
          line(
              Place.DEVICE_HOST_EVIDENCE,
              "check-vectors",
              "before-use",
              DURING,
              Offer.ANY,
              CHECK_VECTORS_READ),
          line(
              Place.HOST_EVIDENCE,
              "check-vectors",
              "last-use-to-check",
              DURING,
              Offer.ANY,
              CHECK_VECTORS_LAST_USE),
          line(
              Place.HOST_EVIDENCE,
              "check-vectors",
              "check-to-next-read",
              AFTER,
              Offer.PACKED,
              CHECK_VECTORS_READ),
          line(
              Place.HOST_EVIDENCE,
              "tolerances",
              "before-call",
              BEFORE,
              Offer.PACKED,
              TOLERANCE_COEFFICIENTS_READ),
          line(
              Place.CPU,
              "tolerances",
              "between-reads",
              AGAIN,
              Offer.ANY,
              TOLERANCE_COEFFICIENTS_READ),
          line(
              Place.DEVICE_HOST_EVIDENCE,
              "tolerances",
              "before-use",
              DURING,
              Offer.ANY,
              TOLERANCE_COEFFICIENTS_READ),
          line(Place.BOTH, "tolerances", "written-to-compared", DURING, Offer.ANY, TOLERANCE),
          line(
              Place.CPU,
              "tolerances",
              "check-to-next-read",
              AFTER,
              Offer.PACKED,
              TOLERANCE_COEFFICIENTS_READ),
          line(
              Place.BOTH,
              "seals",
              "before-call",
              BEFORE,
              Offer.PACKED_SEALED,
              PACKED_B_SEAL,
              PACKED_B_DIGEST,
              CHECK_VECTORS_SEAL,
              A_SEAL),
          line(
              Place.BOTH,
              "seals",
              "made-to-compared",
              DURING,
              Offer.ANY,
              PACKED_B_SEAL,
              PACKED_B_DIGEST,
              CHECK_VECTORS_SEAL,
              A_SEAL,
              OLD_C_SEAL),
          line(
              Place.CPU,
              "seals",
              "digest-to-compared",
              DURING,
              Offer.ANY,
              PACKED_A_DIGEST,
              PARTIAL_SUM_DIGEST),
          line(
              Place.BOTH,
              "seals",
              "check-to-next-read",
              AFTER,
              Offer.PACKED_SEALED,
              PACKED_B_SEAL,
              PACKED_B_DIGEST,
              CHECK_VECTORS_SEAL,
              A_SEAL,
              C_SEAL),
          line(Place.DEVICE, "packed-b", "packed-to-upload", DURING, Offer.FRESH, PACKED_B_READ),
          line(Place.DEVICE, "device-a", "upload-to-read", DURING, Offer.ANY, DEVICE_A_READ),
          line(Place.DEVICE, "device-a", "last-use-to-check", DURING, Offer.ANY, DEVICE_A_LAST_USE),
          line(Place.DEVICE, "device-weights", "before-read", DURING, Offer.PACKED, DEVICE_B_READ),
          line(
              Place.DEVICE,
              "device-weights",
              "last-use-to-check",
              DURING,
              Offer.PACKED,
              DEVICE_B_LAST_USE),
          line(Place.DEVICE, "device-b", "upload-to-read", DURING, Offer.FRESH, DEVICE_B_READ),
          line(
              Place.DEVICE,
              "device-b",
              "last-use-to-check",
              DURING,
              Offer.FRESH,
              DEVICE_B_LAST_USE),
          line(
              Place.DEVICE,
              "device-old-c",
              "upload-to-read",
              DURING,
              Offer.BLENDING,
              DEVICE_OLD_C_READ),
          line(
              Place.DEVICE,
              "device-old-c",
              "last-use-to-check",
              DURING,
              Offer.BLENDING,
              DEVICE_OLD_C_LAST_USE),
          line(Place.DEVICE, "device-c", "store-to-download", DURING, Offer.ANY, DEVICE_C_STORED),
          line(
              Place.DEVICE_EVIDENCE, "device-c", "kept-to-check", DURING, Offer.ANY, DEVICE_C_KEPT),
          line(
              Place.DEVICE_EVIDENCE,
              "device-records",
              "before-read",
              DURING,
              Offer.ANY,
              DEVICE_RECORDS_READ),
          line(
              Place.DEVICE_EVIDENCE,
              "device-records",
              "last-use-to-check",
              DURING,
              Offer.ANY,
              DEVICE_RECORDS_LAST_USE),
          line(Place.DEVICE, "device-sums", "made-to-download", DURING, Offer.ANY, DEVICE_SUMS),
          line(
              Place.DEVICE,
              "device-commands",
              "upload-of-b-lost",
              DURING,
              Offer.FRESH,
              DEVICE_PANELS_UPLOAD));

  private GemmWindows() {}

  /** Those of products that are computed in one way. */
  static List<Window<GemmWorkload>> of(Computing computing) {
    return PlacedWindow.of(LINES, computing);
  }

  private static PlacedWindow<GemmWorkload> line(
      Place place,
      String site,
      String label,
      When when,
      Offer offer,
      ProbePoint first,
      ProbePoint... more) {
    return new PlacedWindow<>(
        place, new Window<>(site, label, when, offer::by, EnumSet.of(first, more)));
  }
}
