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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Words changed while a product is computed, at every probe point. */
@Tag("device")
class InCallFaultTest {
  /** Where only the next reader of C can notice; after the store, if it is within the tolerance. */
  private static final Set<ProbePoint> FOR_THE_NEXT_READER =
      EnumSet.of(ProbePoint.C_STORED, ProbePoint.C_CHECKED, ProbePoint.C_SEAL);

  private static final Outcome CLEAN = new Outcome(Status.CLEAN, Status.CLEAN, true, true);

  static Stream<Arguments> pointsOfVariants() {
    return Variant.all()
        .flatMap(variant -> variant.points().stream().map(point -> Arguments.of(variant, point)));
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

  /** What the others would pass if a product were computed in another way than its variant says. */
  @Test
  void everyVariantIsComputedAsItSays() {
    for (Variant variant : Variant.all().toList()) {
      try (var gemm = new FaultyGemm(variant, Protection.CORRECT)) {
        Set<ProbePoint> reached = EnumSet.noneOf(ProbePoint.class);
        gemm.run((point, memory, offset, rows, rowBytes, stride) -> {
          synchronized (reached) {
            reached.add(point);
          }
        });
        assertThat(reached).as(variant.name()).containsAll(variant.points());
        if (variant.isByColumns()) {
          assertThat(reached).as(variant.name()).isEqualTo(variant.points());
        }
      }
    }
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
