package dev.regolith.kernels.guard;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Disagreement;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Finding;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Step;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a call finds out about damage while it goes on; becomes one {@link FaultReport}. */
final class Incident {
  private final String operator;
  private final List<Finding> findings = new ArrayList<>();
  private final Set<Step> steps = EnumSet.noneOf(Step.class);
  private @Nullable Block block;
  private long blocks;
  private @Nullable Disagreement worst;

  Incident(String operator) {
    this.operator = operator;
  }

  /** Notes a finding; one without a place says nothing more the second time. */
  synchronized void find(Component component, long word, int changedBits, boolean repaired) {
    var finding = new Finding(component, word, changedBits, repaired);
    if (word >= 0 || !findings.contains(finding)) {
      findings.add(finding);
    }
  }

  /** Notes what a repair came to; nothing, if somebody else had put it back. */
  synchronized void find(Component component, Mended mended) {
    switch (mended.syndrome()) {
      case Seal.Syndrome.Intact _ -> {}
      case Seal.Syndrome.SealItself _ -> find(Component.SEAL, -1, 0, true);
      case Seal.Syndrome.Word word ->
          find(component, word.index(), mended.changedBits(), mended.done());
      case Seal.Syndrome.Beyond _ -> find(component, -1, 0, false);
    }
  }

  synchronized void step(Step step) {
    steps.add(step);
  }

  synchronized void doubt(Block doubtful) {
    block = block == null ? doubtful : block.union(doubtful);
    blocks += CheckBlock.across(doubtful.columns());
  }

  synchronized void disagree(Disagreement disagreement) {
    if (worst == null || disagreement.excess() > worst.excess()) {
      worst = disagreement;
    }
  }

  /** Whether an exact code found anything damaged. */
  synchronized boolean found() {
    return !findings.isEmpty();
  }

  /** Whether nothing but the device that computed can be to blame. */
  synchronized boolean blamesDevice() {
    return findings.stream().allMatch(it -> it.component() == Component.DEVICE_BUFFER);
  }

  synchronized FaultReport report(Resolution resolution) {
    return new FaultReport(
        operator, resolution, block, blocks, worst, findings, List.copyOf(steps), Instant.now());
  }
}
