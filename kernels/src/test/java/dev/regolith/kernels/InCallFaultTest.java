package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.FaultyGemm.Outcome;
import dev.regolith.kernels.FaultyGemm.Variant;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Words changed while a product is computed, at every probe point. */
@Tag("device")
class InCallFaultTest {
  /** Where only the next reader of C can notice; after the store, if it is within the tolerance. */
  private static final Set<ProbePoint> FOR_THE_NEXT_READER =
      EnumSet.of(ProbePoint.C_STORED, ProbePoint.C_CHECKED, ProbePoint.C_SEAL);

  /** What the scalar backend does not have: it copies no strip and parks no partial sum. */
  private static final Set<ProbePoint> NOT_SCALAR =
      EnumSet.of(
          ProbePoint.PACKED_A_WRITTEN,
          ProbePoint.PACKED_A_READ,
          ProbePoint.PACKED_A_LAST_USE,
          ProbePoint.PACKED_A_DIGEST,
          ProbePoint.PARTIAL_SUM_READ,
          ProbePoint.PARTIAL_SUM_LAST_USE,
          ProbePoint.PARTIAL_SUM_DIGEST,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.TILE_WRITTEN,
          ProbePoint.C_CHECKED);

  /** The moments of a product on the CPU; what follows belongs to other operators. */
  private static final Set<ProbePoint> OF_GEMM =
      EnumSet.range(ProbePoint.A_READ, ProbePoint.TOLERANCE);

  /** What the host does not do where a device computes: it only verifies. */
  private static final Set<ProbePoint> NOT_DEVICE =
      EnumSet.of(
          ProbePoint.PACKED_A_READ,
          ProbePoint.PACKED_A_LAST_USE,
          ProbePoint.PACKED_A_DIGEST,
          ProbePoint.PACKED_B_READ,
          ProbePoint.PACKED_B_LAST_USE,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.PARTIAL_SUM_READ,
          ProbePoint.PARTIAL_SUM_LAST_USE,
          ProbePoint.PARTIAL_SUM_DIGEST,
          ProbePoint.TILE_WRITTEN,
          ProbePoint.OLD_C_READ);

  /** What there is only where a device computes. */
  private static final Set<ProbePoint> OF_DEVICE =
      EnumSet.range(ProbePoint.DEVICE_COMMAND, ProbePoint.DEVICE_SUMS);

  private static final Outcome CLEAN = new Outcome(Status.CLEAN, Status.CLEAN, true, true);

  static Stream<Arguments> pointsOfVariants() {
    return Stream.of(Variant.values())
        .flatMap(variant -> points(variant).stream().map(point -> Arguments.of(variant, point)));
  }

  private static Set<ProbePoint> points(Variant variant) {
    var points = EnumSet.copyOf(OF_GEMM);
    if (variant == Variant.SCALAR) {
      points.removeAll(NOT_SCALAR);
    } else if (SessionUnderTest.isDeviceComputing()) {
      points.removeAll(NOT_DEVICE);
      points.addAll(OF_DEVICE);
    }
    return points;
  }

  @ParameterizedTest
  @MethodSource("pointsOfVariants")
  void corrected(Variant variant, ProbePoint point) {
    var failures = new ArrayList<String>();
    try (var gemm = new FaultyGemm(variant, Protection.CORRECT)) {
      var random = new SplittableRandom(point.name().hashCode());
      int turn = 0;
      for (long occurrence : occurrences(gemm, point)) {
        for (var kind : UpsetKind.ofTurn(turn++)) {
          var upset = new Upset(point, occurrence, kind, random);
          Outcome outcome = gemm.run(upset);
          boolean right =
              upset.reached() > occurrence
                  && outcome.status() != Status.DETECTED
                  && outcome.bitsRight()
                  && (outcome.bitsRightAtOnce() || FOR_THE_NEXT_READER.contains(point));
          if (!right) {
            failures.add("%s, occurrence %d: %s".formatted(kind, occurrence, outcome));
          }
        }
        // Nothing stays behind.
        Outcome next = gemm.run(new Upset(point, -1, UpsetKind.BIT_0, random));
        if (!next.equals(CLEAN) || !gemm.under().reports().isEmpty()) {
          failures.add("after occurrence %d: %s".formatted(occurrence, next));
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("pointsOfVariants")
  void detected(Variant variant, ProbePoint point) {
    var failures = new ArrayList<String>();
    try (var gemm = new FaultyGemm(variant, Protection.DETECT)) {
      var random = new SplittableRandom(point.name().hashCode());
      int turn = 0;
      for (long occurrence : occurrences(gemm, point)) {
        var kind = UpsetKind.ofTurn(turn++).getFirst();
        Outcome outcome = gemm.run(new Upset(point, occurrence, kind, random));
        boolean flagged =
            outcome.status() == Status.DETECTED || outcome.verified() == Status.DETECTED;
        List<FaultReport> reports = gemm.under().reports();
        boolean right =
            outcome.status() != Status.CORRECTED
                && (flagged || outcome.bitsRight())
                && reports.size() == (flagged ? 1 : 0)
                && reports.stream().allMatch(it -> it.resolution() == Resolution.DETECTED);
        if (!right) {
          failures.add("%s, occurrence %d: %s, %s".formatted(kind, occurrence, outcome, reports));
        }
        gemm.repack(); // detecting leaves the damage in
      }
    }
    assertThat(failures).isEmpty();
  }

  /** The first, the last, and some between. */
  private static Set<Long> occurrences(FaultyGemm gemm, ProbePoint point) {
    var counter = new Upset(point, -1, UpsetKind.BIT_0, new SplittableRandom(1));
    // The first product of all has weights to bring to a device.
    assertThat(gemm.run((here, memory, offset, rows, rowBytes, stride) -> {})).isEqualTo(CLEAN);
    assertThat(gemm.run(counter)).isEqualTo(CLEAN);
    return counter.spread(4);
  }
}
