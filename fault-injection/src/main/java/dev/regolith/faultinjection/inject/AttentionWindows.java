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
import static dev.regolith.kernels.probe.ProbePoint.EVIDENCE;
import static dev.regolith.kernels.probe.ProbePoint.EXPECTATION;
import static dev.regolith.kernels.probe.ProbePoint.KEYS_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.KEYS_READ;
import static dev.regolith.kernels.probe.ProbePoint.KEYS_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.KEY_SOURCE_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.KEY_SOURCE_READ;
import static dev.regolith.kernels.probe.ProbePoint.LOG_SUM_STORED;
import static dev.regolith.kernels.probe.ProbePoint.MASK_BETWEEN;
import static dev.regolith.kernels.probe.ProbePoint.MASK_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.MASK_READ;
import static dev.regolith.kernels.probe.ProbePoint.OPERAND_SEAL;
import static dev.regolith.kernels.probe.ProbePoint.QUERIES_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.QUERIES_READ;
import static dev.regolith.kernels.probe.ProbePoint.QUERY_SOURCE_COPIED;
import static dev.regolith.kernels.probe.ProbePoint.QUERY_SOURCE_LAST_USE;
import static dev.regolith.kernels.probe.ProbePoint.QUERY_SOURCE_READ;
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
    CACHED;

    boolean by(AttentionWorkload workload) {
      return switch (this) {
        case ANY -> true;
        case SEALED -> workload.sealed();
        case MASKED -> workload.hasAdditiveMask();
        case MASKED_SEALED -> workload.sealed() && workload.hasAdditiveMask();
        case IN_PLACE -> workload.isInPlace();
        case CACHED -> workload.cached();
      };
    }
  }

  /** All of them. */
  static final List<Window<AttentionWorkload>> ALL =
      List.of(
          window("queries", "before-call", BEFORE, Offer.SEALED, QUERY_SOURCE_READ),
          window("queries", "copied-to-compared", DURING, Offer.ANY, QUERY_SOURCE_COPIED),
          window("queries", "last-use-to-check", DURING, Offer.SEALED, QUERY_SOURCE_LAST_USE),
          window("queries", "check-to-next-read", AFTER, Offer.SEALED, QUERY_SOURCE_READ),
          window("keys", "before-call", BEFORE, Offer.SEALED, KEY_SOURCE_READ),
          window("keys", "packed-to-check", DURING, Offer.SEALED, KEY_SOURCE_LAST_USE),
          window("keys", "check-to-next-read", AFTER, Offer.SEALED, KEY_SOURCE_READ),
          window("values", "before-call", BEFORE, Offer.SEALED, VALUE_SOURCE_READ),
          window("values", "packed-to-check", DURING, Offer.SEALED, VALUE_SOURCE_LAST_USE),
          window("values", "check-to-next-read", AFTER, Offer.SEALED, VALUE_SOURCE_READ),
          window("mask", "before-call", BEFORE, Offer.MASKED_SEALED, MASK_READ),
          window("mask", "applied-to-compared", DURING, Offer.MASKED, MASK_BETWEEN),
          window("mask", "last-use-to-check", DURING, Offer.MASKED_SEALED, MASK_LAST_USE),
          window("mask", "check-to-next-read", AFTER, Offer.MASKED_SEALED, MASK_READ),
          window("copied-queries", "between-reads", DURING, Offer.ANY, QUERIES_READ),
          window("copied-queries", "last-use-to-check", DURING, Offer.ANY, QUERIES_LAST_USE),
          window("packed-keys", "before-first-read", FIRST, Offer.ANY, KEYS_READ),
          window("packed-keys", "between-reads", AGAIN, Offer.ANY, KEYS_READ),
          window("packed-keys", "last-use-to-check", DURING, Offer.ANY, KEYS_LAST_USE),
          window("packed-values", "before-first-read", FIRST, Offer.ANY, VALUES_READ),
          window("packed-values", "between-reads", AGAIN, Offer.ANY, VALUES_READ),
          window("packed-values", "last-use-to-check", DURING, Offer.ANY, VALUES_LAST_USE),
          window("cached-keys", "before-call", BEFORE, Offer.CACHED, KEYS_READ),
          window("cached-keys", "last-use-to-check", DURING, Offer.CACHED, KEYS_LAST_USE),
          window("cached-keys", "check-to-next-read", AFTER, Offer.CACHED, KEYS_READ),
          window("cached-values", "before-call", BEFORE, Offer.CACHED, VALUES_READ),
          window("cached-values", "last-use-to-check", DURING, Offer.CACHED, VALUES_LAST_USE),
          window("cached-values", "check-to-next-read", AFTER, Offer.CACHED, VALUES_READ),
          window(
              "cached-check-vectors",
              "before-call",
              BEFORE,
              Offer.CACHED,
              CHECK_VECTORS_READ,
              TOLERANCE_COEFFICIENTS_READ),
          window(
              "cached-check-vectors",
              "check-to-next-read",
              AFTER,
              Offer.CACHED,
              CHECK_VECTORS_READ,
              TOLERANCE_COEFFICIENTS_READ),
          window(
              "cached-seals",
              "before-call",
              BEFORE,
              Offer.CACHED,
              KEYS_SEAL,
              VALUES_SEAL,
              CHECK_VECTORS_SEAL),
          window(
              "cached-seals",
              "check-to-next-read",
              AFTER,
              Offer.CACHED,
              KEYS_SEAL,
              VALUES_SEAL,
              CHECK_VECTORS_SEAL),
          window("scores", "written-to-read", DURING, Offer.ANY, SCORES_WRITTEN),
          window("scores", "last-use-to-check", DURING, Offer.ANY, SCORES_LAST_USE),
          window("exponentials", "written-to-read", DURING, Offer.ANY, WEIGHTS_WRITTEN),
          window("exponentials", "last-use-to-check", DURING, Offer.ANY, WEIGHTS_LAST_USE),
          window("running-maxima", "between-blocks", DURING, Offer.ANY, ROW_MAXIMUM),
          window("running-sums", "between-blocks", DURING, Offer.ANY, ROW_SUM),
          window("value-sums", "between-blocks", DURING, Offer.ANY, VALUE_SUMS_READ),
          window("value-sums", "last-use-to-check", DURING, Offer.ANY, VALUE_SUMS_LAST_USE),
          window("value-sums", "between-spans", DURING, Offer.ANY, TOTAL_SUMS_READ),
          window("output", "stored-to-sealed", DURING, Offer.ANY, RESULT_STORED),
          window("output", "return-to-next-read", AFTER, Offer.IN_PLACE, RESULT_STORED),
          window("log-sums", "stored-to-delivered", DURING, Offer.ANY, LOG_SUM_STORED),
          window("check-vectors", "before-first-read", FIRST, Offer.ANY, CHECK_VECTORS_READ),
          window("check-vectors", "between-reads", AGAIN, Offer.ANY, CHECK_VECTORS_READ),
          window("check-vectors", "last-use-to-check", DURING, Offer.ANY, CHECK_VECTORS_LAST_USE),
          window("tolerances", "before-first-read", FIRST, Offer.ANY, TOLERANCE_COEFFICIENTS_READ),
          window("tolerances", "between-reads", AGAIN, Offer.ANY, TOLERANCE_COEFFICIENTS_READ),
          window("tolerances", "written-to-compared", DURING, Offer.ANY, TOLERANCE),
          window("seals", "before-call", BEFORE, Offer.SEALED, OPERAND_SEAL),
          window(
              "seals",
              "made-to-compared",
              DURING,
              Offer.ANY,
              OPERAND_SEAL,
              KEYS_SEAL,
              VALUES_SEAL,
              CHECK_VECTORS_SEAL),
          window("seals", "made-to-return", DURING, Offer.ANY, C_SEAL),
          window("seals", "check-to-next-read", AFTER, Offer.SEALED, OPERAND_SEAL, C_SEAL),
          window("digests", "made-to-compared", DURING, Offer.ANY, ROW_DIGEST),
          window("expectations", "between-blocks", DURING, Offer.ANY, EXPECTATION),
          window("evidence", "written-to-compared", DURING, Offer.ANY, EVIDENCE));

  private AttentionWindows() {}

  private static Window<AttentionWorkload> window(
      String site, String label, When when, Offer offer, ProbePoint first, ProbePoint... more) {
    return new Window<>(site, label, when, offer::by, EnumSet.of(first, more));
  }
}
