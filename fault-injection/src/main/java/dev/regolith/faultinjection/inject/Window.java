package dev.regolith.faultinjection.inject;

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

import dev.regolith.kernels.probe.ProbePoint;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A stretch of a buffer's life in which a fault may strike it: the campaign's map, row by row. */
enum Window {
  A_BEFORE("a", "before-call", When.BEFORE, Offer.SEALED, A_READ),
  A_BETWEEN("a", "copied-to-predicted", When.DURING, Offer.ANY, A_PREDICTED),
  A_UNCHECKED("a", "last-use-to-check", When.DURING, Offer.ANY, A_LAST_USE),
  A_AFTER("a", "check-to-next-read", When.AFTER, Offer.SEALED, A_READ),

  WEIGHTS_BEFORE("weights", "before-call", When.BEFORE, Offer.PACKED, PACKED_B_READ),
  WEIGHTS_BETWEEN("weights", "between-reads", When.AGAIN, Offer.PACKED, PACKED_B_READ),
  WEIGHTS_UNCHECKED("weights", "last-use-to-check", When.DURING, Offer.PACKED, PACKED_B_LAST_USE),
  WEIGHTS_AFTER("weights", "check-to-next-read", When.AFTER, Offer.PACKED, PACKED_B_READ),

  PACKED_A_FIRST("packed-a", "before-first-read", When.DURING, Offer.ANY, PACKED_A_WRITTEN),
  PACKED_A_BETWEEN("packed-a", "between-reads", When.DURING, Offer.ANY, PACKED_A_READ),
  PACKED_A_UNCHECKED("packed-a", "last-use-to-check", When.DURING, Offer.ANY, PACKED_A_LAST_USE),

  PACKED_B_FIRST("packed-b", "before-first-read", When.FIRST, Offer.FRESH, PACKED_B_READ),
  PACKED_B_BETWEEN("packed-b", "between-reads", When.AGAIN, Offer.FRESH, PACKED_B_READ),
  PACKED_B_UNCHECKED("packed-b", "last-use-to-check", When.DURING, Offer.FRESH, PACKED_B_LAST_USE),

  PARTIAL_BETWEEN("partial-sum", "between-k-blocks", When.DURING, Offer.ANY, PARTIAL_SUM_READ),
  PARTIAL_UNCHECKED(
      "partial-sum", "last-use-to-check", When.DURING, Offer.ANY, PARTIAL_SUM_LAST_USE),
  PARTIAL_TILE("partial-sum", "finished-to-store", When.DURING, Offer.ANY, TILE_WRITTEN),

  C_UNCHECKED("c", "store-to-check", When.DURING, Offer.ANY, C_STORED),
  C_RETURNING("c", "check-to-return", When.DURING, Offer.ANY, C_CHECKED),
  C_AFTER("c", "return-to-next-read", When.AFTER, Offer.IN_PLACE, C_STORED),

  OLD_C_BEFORE("old-c", "before-call", When.BEFORE, Offer.BLENDING, C_STORED),
  OLD_C_KEPT("old-c", "kept-to-read", When.DURING, Offer.BLENDING, OLD_C_READ),
  OLD_C_UNCHECKED("old-c", "last-use-to-check", When.DURING, Offer.BLENDING, OLD_C_LAST_USE),

  EVIDENCE_WRITTEN("evidence", "written-to-compared", When.DURING, Offer.ANY, EVIDENCE),

  CHECKS_BEFORE("check-vectors", "before-call", When.BEFORE, Offer.PACKED, CHECK_VECTORS_READ),
  CHECKS_BETWEEN("check-vectors", "between-reads", When.AGAIN, Offer.ANY, CHECK_VECTORS_READ),
  CHECKS_UNCHECKED(
      "check-vectors", "last-use-to-check", When.DURING, Offer.ANY, CHECK_VECTORS_LAST_USE),
  CHECKS_AFTER("check-vectors", "check-to-next-read", When.AFTER, Offer.PACKED, CHECK_VECTORS_READ),

  TOLERANCE_BEFORE(
      "tolerances", "before-call", When.BEFORE, Offer.PACKED, TOLERANCE_COEFFICIENTS_READ),
  TOLERANCE_BETWEEN(
      "tolerances", "between-reads", When.AGAIN, Offer.ANY, TOLERANCE_COEFFICIENTS_READ),
  TOLERANCE_WRITTEN("tolerances", "written-to-compared", When.DURING, Offer.ANY, TOLERANCE),
  TOLERANCE_AFTER(
      "tolerances", "check-to-next-read", When.AFTER, Offer.PACKED, TOLERANCE_COEFFICIENTS_READ),

  SEALS_BEFORE(
      "seals",
      "before-call",
      When.BEFORE,
      Offer.PACKED_SEALED,
      PACKED_B_SEAL,
      PACKED_B_DIGEST,
      CHECK_VECTORS_SEAL,
      A_SEAL),
  SEALS_AT_CHECK(
      "seals",
      "made-to-compared",
      When.DURING,
      Offer.ANY,
      PACKED_B_SEAL,
      PACKED_B_DIGEST,
      CHECK_VECTORS_SEAL,
      A_SEAL,
      OLD_C_SEAL),
  SEALS_OF_COPIES(
      "seals", "digest-to-compared", When.DURING, Offer.ANY, PACKED_A_DIGEST, PARTIAL_SUM_DIGEST),
  SEALS_AFTER(
      "seals",
      "check-to-next-read",
      When.AFTER,
      Offer.PACKED_SEALED,
      PACKED_B_SEAL,
      PACKED_B_DIGEST,
      CHECK_VECTORS_SEAL,
      A_SEAL,
      C_SEAL);

  /** The moment of the strike. */
  enum When {
    /** Before the call that reads the buffer. */
    BEFORE,
    /** At a passing of the point during the call. */
    DURING,
    /** At the first passing for a region. */
    FIRST,
    /** At a later passing for a region that was read before. */
    AGAIN,
    /** After the call, before the next reader. */
    AFTER
  }

  /** Which workloads have the buffer. */
  private enum Offer {
    ANY,
    SEALED,
    PACKED,
    PACKED_SEALED,
    FRESH,
    BLENDING,
    IN_PLACE;

    boolean by(Workload workload) {
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

  private final String site;
  private final String label;
  private final When when;
  private final Offer offer;

  @SuppressWarnings("ImmutableEnumChecker") // filled in the constructor and never handed out
  private final Set<ProbePoint> points;

  Window(String site, String label, When when, Offer offer, ProbePoint first, ProbePoint... more) {
    this.site = site;
    this.label = label;
    this.when = when;
    this.offer = offer;
    this.points = EnumSet.of(first, more);
  }

  String site() {
    return site;
  }

  String label() {
    return label;
  }

  When when() {
    return when;
  }

  /** Whether a strike on this passing, in a call of this workload, falls into this window. */
  boolean admits(Workload workload, Occurrence occurrence) {
    return points.contains(occurrence.point())
        && offer.by(workload)
        && switch (when) {
          case AGAIN -> occurrence.repeated();
          case FIRST, BEFORE, AFTER -> !occurrence.repeated();
          case DURING -> true;
        };
  }

  /** All sites, in the order of the map. */
  static List<String> sites() {
    var sites = new LinkedHashSet<String>();
    for (Window window : values()) {
      sites.add(window.site);
    }
    return List.copyOf(sites);
  }

  /** The windows of a site. */
  static List<Window> of(String site) {
    return Arrays.stream(values()).filter(window -> window.site.equals(site)).toList();
  }
}
