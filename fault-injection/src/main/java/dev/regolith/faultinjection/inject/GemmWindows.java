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
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_READ;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.C_CHECKED;
import static dev.regolith.kernels.probe.ProbePoint.C_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.C_STORED;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_A_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_A_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_B_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_B_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_C_STORED;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_DOWNLOAD;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_EVIDENCE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_LAUNCH;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_OLD_C_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_OLD_C_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_PANELS_UPLOAD;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_SUMS;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_UPLOAD;
import static dev.regolith.kernels.probe.ProbePoint.EVIDENCE;
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
    BLENDING,
    IN_PLACE;

    boolean by(GemmWorkload workload) {
      return switch (this) {
        case ANY -> true;
        case SEALED -> workload.sealed() && !workload.strided();
        case PACKED -> workload.packed();
        case PACKED_SEALED -> workload.packed() && workload.sealed() && !workload.strided();
        case FRESH -> !workload.packed();
        case BLENDING -> workload.beta() != 0;
        case IN_PLACE -> !workload.strided();
      };
    }
  }

  /** All of them. */
  static final List<Window<GemmWorkload>> ALL =
      List.of(
          window("a", "before-call", BEFORE, Offer.SEALED, A_READ),
          window("a", "copied-to-predicted", DURING, Offer.ANY, A_PREDICTED),
          window("a", "last-use-to-check", DURING, Offer.ANY, A_LAST_USE),
          window("a", "check-to-next-read", AFTER, Offer.SEALED, A_READ),
          window("weights", "before-call", BEFORE, Offer.PACKED, PACKED_B_READ),
          window("weights", "between-reads", AGAIN, Offer.PACKED, PACKED_B_READ),
          window("weights", "last-use-to-check", DURING, Offer.PACKED, PACKED_B_LAST_USE),
          window("weights", "check-to-next-read", AFTER, Offer.PACKED, PACKED_B_READ),
          window("packed-a", "before-first-read", DURING, Offer.ANY, PACKED_A_WRITTEN),
          window("packed-a", "between-reads", DURING, Offer.ANY, PACKED_A_READ),
          window("packed-a", "last-use-to-check", DURING, Offer.ANY, PACKED_A_LAST_USE),
          window("packed-b", "before-first-read", FIRST, Offer.FRESH, PACKED_B_READ),
          window("packed-b", "between-reads", AGAIN, Offer.FRESH, PACKED_B_READ),
          window("packed-b", "last-use-to-check", DURING, Offer.FRESH, PACKED_B_LAST_USE),
          window("partial-sum", "between-k-blocks", DURING, Offer.ANY, PARTIAL_SUM_READ),
          window("partial-sum", "last-use-to-check", DURING, Offer.ANY, PARTIAL_SUM_LAST_USE),
          window("partial-sum", "finished-to-store", DURING, Offer.ANY, TILE_WRITTEN),
          window("c", "store-to-check", DURING, Offer.ANY, C_STORED),
          window("c", "check-to-return", DURING, Offer.ANY, C_CHECKED),
          window("c", "return-to-next-read", AFTER, Offer.IN_PLACE, C_STORED),
          window("old-c", "before-call", BEFORE, Offer.BLENDING, C_STORED),
          window("old-c", "kept-to-read", DURING, Offer.BLENDING, OLD_C_READ),
          window("old-c", "last-use-to-check", DURING, Offer.BLENDING, OLD_C_LAST_USE),
          window("evidence", "written-to-compared", DURING, Offer.ANY, EVIDENCE),
          window("check-vectors", "before-call", BEFORE, Offer.PACKED, CHECK_VECTORS_READ),
          window("check-vectors", "between-reads", AGAIN, Offer.ANY, CHECK_VECTORS_READ),
          window("check-vectors", "last-use-to-check", DURING, Offer.ANY, CHECK_VECTORS_LAST_USE),
          window("check-vectors", "check-to-next-read", AFTER, Offer.PACKED, CHECK_VECTORS_READ),
          window("tolerances", "before-call", BEFORE, Offer.PACKED, TOLERANCE_COEFFICIENTS_READ),
          window("tolerances", "between-reads", AGAIN, Offer.ANY, TOLERANCE_COEFFICIENTS_READ),
          window("tolerances", "written-to-compared", DURING, Offer.ANY, TOLERANCE),
          window(
              "tolerances", "check-to-next-read", AFTER, Offer.PACKED, TOLERANCE_COEFFICIENTS_READ),
          window(
              "seals",
              "before-call",
              BEFORE,
              Offer.PACKED_SEALED,
              PACKED_B_SEAL,
              PACKED_B_DIGEST,
              CHECK_VECTORS_SEAL,
              A_SEAL),
          window(
              "seals",
              "made-to-compared",
              DURING,
              Offer.ANY,
              PACKED_B_SEAL,
              PACKED_B_DIGEST,
              CHECK_VECTORS_SEAL,
              A_SEAL,
              OLD_C_SEAL),
          window(
              "seals",
              "digest-to-compared",
              DURING,
              Offer.ANY,
              PACKED_A_DIGEST,
              PARTIAL_SUM_DIGEST),
          window(
              "seals",
              "check-to-next-read",
              AFTER,
              Offer.PACKED_SEALED,
              PACKED_B_SEAL,
              PACKED_B_DIGEST,
              CHECK_VECTORS_SEAL,
              A_SEAL,
              C_SEAL));

  /**
   * Those of products that a device computes: the host's part, which is to predict and to verify,
   * and the device's. Its buffers are struck as it sees them, before and after their last use; a
   * fault on the way there is one before it, a fault between two calls likewise.
   */
  static final List<Window<GemmWorkload>> ON_DEVICE =
      List.of(
          window("a", "before-call", BEFORE, Offer.SEALED, A_READ),
          window("a", "uploaded-to-predicted", DURING, Offer.ANY, A_READ, A_PREDICTED),
          window("a", "last-use-to-check", DURING, Offer.ANY, A_LAST_USE),
          window("a", "check-to-next-read", AFTER, Offer.SEALED, A_READ),
          window("c", "download-to-check", DURING, Offer.ANY, C_STORED),
          window("c", "check-to-return", DURING, Offer.ANY, C_CHECKED),
          window("c", "return-to-next-read", AFTER, Offer.IN_PLACE, C_STORED),
          window("old-c", "before-call", BEFORE, Offer.BLENDING, C_STORED),
          window("old-c", "last-use-to-check", DURING, Offer.BLENDING, OLD_C_LAST_USE),
          window("evidence", "written-to-compared", DURING, Offer.ANY, EVIDENCE),
          window("check-vectors", "before-call", BEFORE, Offer.PACKED, CHECK_VECTORS_READ),
          window("check-vectors", "before-use", DURING, Offer.ANY, CHECK_VECTORS_READ),
          window("check-vectors", "last-use-to-check", DURING, Offer.ANY, CHECK_VECTORS_LAST_USE),
          window("check-vectors", "check-to-next-read", AFTER, Offer.PACKED, CHECK_VECTORS_READ),
          window("tolerances", "before-call", BEFORE, Offer.PACKED, TOLERANCE_COEFFICIENTS_READ),
          window("tolerances", "before-use", DURING, Offer.ANY, TOLERANCE_COEFFICIENTS_READ),
          window("tolerances", "written-to-compared", DURING, Offer.ANY, TOLERANCE),
          window(
              "seals",
              "before-call",
              BEFORE,
              Offer.PACKED_SEALED,
              PACKED_B_SEAL,
              CHECK_VECTORS_SEAL,
              A_SEAL),
          window(
              "seals",
              "made-to-compared",
              DURING,
              Offer.ANY,
              PACKED_B_SEAL,
              CHECK_VECTORS_SEAL,
              A_SEAL,
              OLD_C_SEAL),
          window(
              "seals",
              "check-to-next-read",
              AFTER,
              Offer.PACKED_SEALED,
              PACKED_B_SEAL,
              CHECK_VECTORS_SEAL,
              A_SEAL,
              C_SEAL),
          window("packed-b", "packed-to-upload", DURING, Offer.FRESH, PACKED_B_READ),
          window("device-a", "upload-to-read", DURING, Offer.ANY, DEVICE_A_READ),
          window("device-a", "last-use-to-check", DURING, Offer.ANY, DEVICE_A_LAST_USE),
          window("device-weights", "before-read", DURING, Offer.PACKED, DEVICE_B_READ),
          window("device-weights", "last-use-to-check", DURING, Offer.PACKED, DEVICE_B_LAST_USE),
          window("device-b", "upload-to-read", DURING, Offer.FRESH, DEVICE_B_READ),
          window("device-b", "last-use-to-check", DURING, Offer.FRESH, DEVICE_B_LAST_USE),
          window("device-old-c", "upload-to-read", DURING, Offer.BLENDING, DEVICE_OLD_C_READ),
          window(
              "device-old-c", "last-use-to-check", DURING, Offer.BLENDING, DEVICE_OLD_C_LAST_USE),
          window("device-c", "store-to-download", DURING, Offer.ANY, DEVICE_C_STORED),
          window("device-sums", "made-to-download", DURING, Offer.ANY, DEVICE_SUMS),
          window("device-commands", "upload-of-b-lost", DURING, Offer.FRESH, DEVICE_PANELS_UPLOAD),
          window("device-commands", "upload-lost", DURING, Offer.ANY, DEVICE_UPLOAD),
          window("device-commands", "kernel-never-ran", DURING, Offer.ANY, DEVICE_LAUNCH),
          window("device-commands", "download-lost", DURING, Offer.ANY, DEVICE_DOWNLOAD),
          window("device-commands", "evidence-lost", DURING, Offer.ANY, DEVICE_EVIDENCE));

  private GemmWindows() {}

  private static Window<GemmWorkload> window(
      String site, String label, When when, Offer offer, ProbePoint first, ProbePoint... more) {
    return new Window<>(site, label, when, offer::by, EnumSet.of(first, more));
  }
}
