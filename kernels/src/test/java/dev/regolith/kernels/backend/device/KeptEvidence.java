package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import java.util.TreeMap;

/** Remembers the evidence of a region by row and check; nothing else may be noticed. */
final class KeptEvidence implements EvidenceSink {
  private record Entry(double predicted, double shown, double tolerance) {}

  private final TreeMap<Long, Entry> entries = new TreeMap<>();

  @Override
  public void evidence(
      GemmProblem p, Region region, long row, int rows, Evidence evidence, int evidenceRow) {
    for (int i = 0; i < rows; i++) {
      for (int check = 0; check < evidence.checks(); check++) {
        int at = evidence.at(evidenceRow + i, check);
        entries.put(
            1000 * (row + i) + check,
            new Entry(evidence.predicted[at], evidence.shown[at], evidence.tolerance[at]));
      }
    }
  }

  /** Every number within a few roundings of doubles. */
  void assertIs(KeptEvidence wanted) {
    assertThat(entries).isNotEmpty().hasSameSizeAs(wanted.entries);
    wanted.entries.forEach((place, entry) -> {
      Entry got = entries.get(place);
      double close = 1e-6 * entry.tolerance;
      assertThat(got.predicted).as("predicted %d", place).isCloseTo(entry.predicted, within(close));
      assertThat(got.shown).as("shown %d", place).isCloseTo(entry.shown, within(close));
      assertThat(got.tolerance).as("tolerance %d", place).isCloseTo(entry.tolerance, within(close));
    });
  }

  private static AssertionError noticed(Object what) {
    return new AssertionError("nothing is damaged, but noticed was " + what);
  }

  @Override
  public void suspect(GemmProblem p, Region region, Component component) {
    throw noticed(component);
  }

  @Override
  public void inputDiffers(GemmProblem p, Region region, long block) {
    throw noticed("block " + block + " of A");
  }

  @Override
  public void panelDiffers(GemmProblem p, Region region, long panel, int kBlock) {
    throw noticed("panel " + panel);
  }

  @Override
  public void recordDiffers(GemmProblem p, Region region, long block, int kBlock) {
    throw noticed("record " + block);
  }
}
