package dev.regolith.faultinjection.inject;

import static dev.regolith.faultinjection.inject.Window.When.AFTER;
import static dev.regolith.faultinjection.inject.Window.When.AGAIN;
import static dev.regolith.faultinjection.inject.Window.When.BEFORE;
import static dev.regolith.faultinjection.inject.Window.When.DURING;
import static dev.regolith.faultinjection.inject.Window.When.FIRST;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_READ;
import static dev.regolith.kernels.probe.ProbePoint.CHECK_VECTORS_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.C_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_A_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_A_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_B_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_B_READ;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_CHECKS;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_C_KEPT;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_C_STORED;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_PANELS_UPLOAD;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_QUERIES;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_REPEATED;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_SPANS;
import static dev.regolith.kernels.probe.ProbePoint.DEVICE_SUMS;
import static dev.regolith.kernels.probe.ProbePoint.EVIDENCE;
import static dev.regolith.kernels.probe.ProbePoint.EXPECTATION;
import static dev.regolith.kernels.probe.ProbePoint.KEYS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.KEYS_READ;
import static dev.regolith.kernels.probe.ProbePoint.KEYS_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.KEY_SOURCE_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.KEY_SOURCE_READ;
import static dev.regolith.kernels.probe.ProbePoint.LOG_SUM_DELIVERED;
import static dev.regolith.kernels.probe.ProbePoint.LOG_SUM_STORED;
import static dev.regolith.kernels.probe.ProbePoint.MASK_BETWEEN;
import static dev.regolith.kernels.probe.ProbePoint.MASK_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.MASK_READ;
import static dev.regolith.kernels.probe.ProbePoint.OPERAND_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_B_READ;
import static dev.regolith.kernels.probe.ProbePoint.PACKED_B_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.QUERIES_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.QUERIES_READ;
import static dev.regolith.kernels.probe.ProbePoint.QUERY_SOURCE_COPIED;
import static dev.regolith.kernels.probe.ProbePoint.QUERY_SOURCE_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.QUERY_SOURCE_READ;
import static dev.regolith.kernels.probe.ProbePoint.RESULT_DELIVERED;
import static dev.regolith.kernels.probe.ProbePoint.RESULT_STORED;
import static dev.regolith.kernels.probe.ProbePoint.ROW_DIGEST;
import static dev.regolith.kernels.probe.ProbePoint.ROW_MAXIMUM;
import static dev.regolith.kernels.probe.ProbePoint.ROW_SUM;
import static dev.regolith.kernels.probe.ProbePoint.SCORES_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.SCORES_WRITTEN;
import static dev.regolith.kernels.probe.ProbePoint.TOLERANCE;
import static dev.regolith.kernels.probe.ProbePoint.TOLERANCE_COEFFICIENTS_READ;
import static dev.regolith.kernels.probe.ProbePoint.TOTAL_SUMS_READ;
import static dev.regolith.kernels.probe.ProbePoint.VALUES_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.VALUES_READ;
import static dev.regolith.kernels.probe.ProbePoint.VALUES_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.VALUE_SOURCE_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.VALUE_SOURCE_READ;
import static dev.regolith.kernels.probe.ProbePoint.VALUE_SUMS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.VALUE_SUMS_READ;
import static dev.regolith.kernels.probe.ProbePoint.WEIGHTS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.WEIGHTS_WRITTEN;

import dev.regolith.faultinjection.inject.PlacedWindow.Place;
import dev.regolith.faultinjection.inject.Window.When;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.EnumSet;
import java.util.List;

/**
 * The map of attention: every buffer, in every stretch of its life.
 *
 * <p>Keys and values are read once from their source, and packed: an operand that nobody sealed is
 * only the caller's after that. Pages of a cache are there before the call and after it.
 */
final class AttentionWindows {
  /** Which workloads have the buffer. */
  private enum Offer {
    ANY,
    SEALED,
    MASKED,
    MASKED_SEALED,
    IN_PLACE,
    CACHED,
    FRESH,
    /** Words of queries come to the host in every call, even where they were sent ahead. */
    HERE;

    boolean by(AttentionWorkload workload) {
      return switch (this) {
        case ANY -> true;
        case SEALED -> workload.sealed();
        case MASKED -> workload.hasAdditiveMask();
        case MASKED_SEALED -> workload.sealed() && workload.hasAdditiveMask();
        case IN_PLACE -> workload.isInPlace();
        case CACHED -> workload.cached();
        case FRESH -> !workload.cached();
        case HERE -> !workload.mayStay() || workload.isSampled();
      };
    }
  }

  /**
   * All of them. Where a device computes, the host packs and verifies, and the device's buffers are
   * struck as it sees them.
   */
  private static final List<PlacedWindow<AttentionWorkload>> LINES =
      List.of(
          line(Place.BOTH, "queries", "before-call", BEFORE, Offer.SEALED, QUERY_SOURCE_READ),
          line(
              Place.HOST_EVIDENCE,
              "queries",
              "copied-to-compared",
              DURING,
              Offer.ANY,
              QUERY_SOURCE_COPIED),
          line(
              Place.DEVICE_EVIDENCE,
              "queries",
              "copied-to-compared",
              DURING,
              Offer.HERE,
              QUERY_SOURCE_COPIED),
          line(
              Place.BOTH,
              "queries",
              "last-use-to-check",
              DURING,
              Offer.SEALED,
              QUERY_SOURCE_LAST_USE),
          line(Place.BOTH, "queries", "check-to-next-read", AFTER, Offer.SEALED, QUERY_SOURCE_READ),
          line(Place.BOTH, "keys", "before-call", BEFORE, Offer.SEALED, KEY_SOURCE_READ),
          line(Place.BOTH, "keys", "packed-to-check", DURING, Offer.SEALED, KEY_SOURCE_LAST_USE),
          line(Place.BOTH, "keys", "check-to-next-read", AFTER, Offer.SEALED, KEY_SOURCE_READ),
          line(Place.BOTH, "values", "before-call", BEFORE, Offer.SEALED, VALUE_SOURCE_READ),
          line(
              Place.BOTH, "values", "packed-to-check", DURING, Offer.SEALED, VALUE_SOURCE_LAST_USE),
          line(Place.BOTH, "values", "check-to-next-read", AFTER, Offer.SEALED, VALUE_SOURCE_READ),
          line(Place.BOTH, "mask", "before-call", BEFORE, Offer.MASKED_SEALED, MASK_READ),
          line(Place.CPU, "mask", "applied-to-compared", DURING, Offer.MASKED, MASK_BETWEEN),
          line(Place.BOTH, "mask", "last-use-to-check", DURING, Offer.MASKED_SEALED, MASK_LAST_USE),
          line(Place.BOTH, "mask", "check-to-next-read", AFTER, Offer.MASKED_SEALED, MASK_READ),
          line(Place.CPU, "copied-queries", "between-reads", DURING, Offer.ANY, QUERIES_READ),
          line(
              Place.CPU,
              "copied-queries",
              "last-use-to-check",
              DURING,
              Offer.ANY,
              QUERIES_LAST_USE),
          line(Place.CPU, "packed-keys", "before-first-read", FIRST, Offer.ANY, KEYS_READ),
          line(Place.CPU, "packed-keys", "between-reads", AGAIN, Offer.ANY, KEYS_READ),
          line(Place.BOTH, "packed-keys", "last-use-to-check", DURING, Offer.ANY, KEYS_LAST_USE),
          line(Place.CPU, "packed-values", "before-first-read", FIRST, Offer.ANY, VALUES_READ),
          line(Place.CPU, "packed-values", "between-reads", AGAIN, Offer.ANY, VALUES_READ),
          line(
              Place.BOTH, "packed-values", "last-use-to-check", DURING, Offer.ANY, VALUES_LAST_USE),
          line(Place.CPU, "cached-keys", "before-call", BEFORE, Offer.CACHED, KEYS_READ),
          line(Place.CPU, "cached-keys", "last-use-to-check", DURING, Offer.CACHED, KEYS_LAST_USE),
          line(Place.CPU, "cached-keys", "check-to-next-read", AFTER, Offer.CACHED, KEYS_READ),
          line(Place.CPU, "cached-values", "before-call", BEFORE, Offer.CACHED, VALUES_READ),
          line(
              Place.CPU,
              "cached-values",
              "last-use-to-check",
              DURING,
              Offer.CACHED,
              VALUES_LAST_USE),
          line(Place.CPU, "cached-values", "check-to-next-read", AFTER, Offer.CACHED, VALUES_READ),
          line(
              Place.CPU,
              "cached-check-vectors",
              "before-call",
              BEFORE,
              Offer.CACHED,
              CHECK_VECTORS_READ,
              TOLERANCE_COEFFICIENTS_READ),
          line(
              Place.CPU,
              "cached-check-vectors",
              "check-to-next-read",
              AFTER,
              Offer.CACHED,
              CHECK_VECTORS_READ,
              TOLERANCE_COEFFICIENTS_READ),
          line(
              Place.CPU,
              "cached-seals",
              "before-call",
              BEFORE,
              Offer.CACHED,
              KEYS_SEAL,
              VALUES_SEAL,
              CHECK_VECTORS_SEAL),
          line(
              Place.CPU,
              "cached-seals",
              "check-to-next-read",
              AFTER,
              Offer.CACHED,
              KEYS_SEAL,
              VALUES_SEAL,
              CHECK_VECTORS_SEAL),
          line(Place.CPU, "scores", "written-to-read", DURING, Offer.ANY, SCORES_WRITTEN),
          line(Place.CPU, "scores", "last-use-to-check", DURING, Offer.ANY, SCORES_LAST_USE),
          line(Place.CPU, "exponentials", "written-to-read", DURING, Offer.ANY, WEIGHTS_WRITTEN),
          line(Place.CPU, "exponentials", "last-use-to-check", DURING, Offer.ANY, WEIGHTS_LAST_USE),
          line(Place.CPU, "running-maxima", "between-blocks", DURING, Offer.ANY, ROW_MAXIMUM),
          line(Place.CPU, "running-sums", "between-blocks", DURING, Offer.ANY, ROW_SUM),
          line(Place.CPU, "value-sums", "between-blocks", DURING, Offer.ANY, VALUE_SUMS_READ),
          line(
              Place.CPU, "value-sums", "last-use-to-check", DURING, Offer.ANY, VALUE_SUMS_LAST_USE),
          line(Place.CPU, "value-sums", "between-spans", DURING, Offer.ANY, TOTAL_SUMS_READ),
          line(Place.CPU, "output", "stored-to-sealed", DURING, Offer.ANY, RESULT_STORED),
          line(Place.DEVICE, "output", "stored-to-sealed", DURING, Offer.ANY, RESULT_DELIVERED),
          line(Place.CPU, "output", "return-to-next-read", AFTER, Offer.IN_PLACE, RESULT_STORED),
          line(
              Place.DEVICE,
              "output",
              "return-to-next-read",
              AFTER,
              Offer.IN_PLACE,
              RESULT_DELIVERED),
          line(Place.CPU, "log-sums", "stored-to-delivered", DURING, Offer.ANY, LOG_SUM_STORED),
          line(
              Place.DEVICE,
              "log-sums",
              "stored-to-delivered",
              DURING,
              Offer.ANY,
              LOG_SUM_DELIVERED),
          line(
              Place.CPU,
              "check-vectors",
              "before-first-read",
              FIRST,
              Offer.ANY,
              CHECK_VECTORS_READ),
          line(Place.CPU, "check-vectors", "between-reads", AGAIN, Offer.ANY, CHECK_VECTORS_READ),
          line(
              Place.BOTH,
              "check-vectors",
              "last-use-to-check",
              DURING,
              Offer.ANY,
              CHECK_VECTORS_LAST_USE),
          line(
              Place.CPU,
              "tolerances",
              "before-first-read",
              FIRST,
              Offer.ANY,
              TOLERANCE_COEFFICIENTS_READ),
          line(
              Place.CPU,
              "tolerances",
              "between-reads",
              AGAIN,
              Offer.ANY,
              TOLERANCE_COEFFICIENTS_READ),
          line(Place.CPU, "tolerances", "written-to-compared", DURING, Offer.ANY, TOLERANCE),
          line(Place.BOTH, "seals", "before-call", BEFORE, Offer.SEALED, OPERAND_SEAL),
          line(
              Place.BOTH,
              "seals",
              "made-to-compared",
              DURING,
              Offer.ANY,
              OPERAND_SEAL,
              KEYS_SEAL,
              VALUES_SEAL,
              CHECK_VECTORS_SEAL),
          line(Place.DEVICE, "seals", "sums-to-compared", DURING, Offer.ANY, PACKED_B_SEAL),
          line(
              Place.DEVICE,
              "cached-seals",
              "before-call",
              BEFORE,
              Offer.CACHED,
              PACKED_B_SEAL,
              CHECK_VECTORS_SEAL),
          line(
              Place.DEVICE,
              "cached-seals",
              "check-to-next-read",
              AFTER,
              Offer.CACHED,
              PACKED_B_SEAL,
              CHECK_VECTORS_SEAL),
          line(Place.BOTH, "seals", "made-to-return", DURING, Offer.ANY, C_SEAL),
          line(
              Place.BOTH, "seals", "check-to-next-read", AFTER, Offer.SEALED, OPERAND_SEAL, C_SEAL),
          line(Place.CPU, "digests", "made-to-compared", DURING, Offer.ANY, ROW_DIGEST),
          line(Place.CPU, "expectations", "between-blocks", DURING, Offer.ANY, EXPECTATION),
          line(Place.CPU, "evidence", "written-to-compared", DURING, Offer.ANY, EVIDENCE),
          line(Place.DEVICE, "packed", "packed-to-upload", DURING, Offer.FRESH, PACKED_B_READ),
          line(Place.DEVICE, "device-operands", "upload-to-read", DURING, Offer.ANY, DEVICE_A_READ),
          line(
              Place.DEVICE,
              "device-operands",
              "last-use-to-check",
              DURING,
              Offer.ANY,
              DEVICE_A_LAST_USE),
          line(
              Place.DEVICE,
              "device-keys-and-values",
              "upload-to-read",
              DURING,
              Offer.FRESH,
              DEVICE_B_READ),
          line(
              Place.DEVICE,
              "device-keys-and-values",
              "last-use-to-check",
              DURING,
              Offer.FRESH,
              DEVICE_B_LAST_USE),
          line(Place.DEVICE, "device-cache", "before-read", DURING, Offer.CACHED, DEVICE_B_READ),
          line(
              Place.DEVICE,
              "device-cache",
              "last-use-to-check",
              DURING,
              Offer.CACHED,
              DEVICE_B_LAST_USE),
          line(Place.DEVICE, "device-queries", "scaled-to-read", DURING, Offer.ANY, DEVICE_QUERIES),
          line(Place.DEVICE, "device-spans", "made-to-merged", DURING, Offer.ANY, DEVICE_SPANS),
          line(Place.DEVICE, "device-checks", "made-to-compared", DURING, Offer.ANY, DEVICE_CHECKS),
          line(
              Place.DEVICE,
              "device-repetition",
              "made-to-compared",
              DURING,
              Offer.ANY,
              DEVICE_REPEATED),
          line(
              Place.DEVICE,
              "device-output",
              "store-to-download",
              DURING,
              Offer.ANY,
              DEVICE_C_STORED),
          line(
              Place.DEVICE_EVIDENCE,
              "device-output",
              "kept-to-sealed",
              DURING,
              Offer.ANY,
              DEVICE_C_KEPT),
          line(Place.DEVICE, "device-sums", "made-to-download", DURING, Offer.ANY, DEVICE_SUMS),
          line(
              Place.DEVICE,
              "device-commands",
              "upload-of-keys-or-values-lost",
              DURING,
              Offer.FRESH,
              DEVICE_PANELS_UPLOAD));

  private AttentionWindows() {}

  /** Those of attention that is computed in one way. */
  static List<Window<AttentionWorkload>> of(Computing computing) {
    return PlacedWindow.of(LINES, computing);
  }

  private static PlacedWindow<AttentionWorkload> line(
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
