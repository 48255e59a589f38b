package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import java.util.BitSet;

/**
 * Stands between the evidence of a result that has a vendor's bits and who judges it. Rows that
 * nothing is predicted for, because inputs are not finite, are judged by their bits; so those are
 * kept back, to be computed in the canonical order.
 */
final class ConclusiveRows implements EvidenceSink {
  private final EvidenceSink judge;
  private final Region region;
  private final BitSet keptBack = new BitSet();

  ConclusiveRows(EvidenceSink judge, Region region) {
    this.judge = judge;
    this.region = region;
  }

  /** Rows of check blocks of the region, by number, that evidence was kept back of. */
  BitSet keptBack() {
    return keptBack;
  }

  @Override
  public void evidence(
      GemmProblem p, Region part, long row, int rows, Evidence evidence, int evidenceRow) {
    for (int i = 0; i < rows; i++) {
      if (isConclusive(evidence, evidenceRow + i)) {
        judge.evidence(p, part, row + i, 1, evidence, evidenceRow + i);
      } else {
        keptBack.set((int) (row + i - region.row) / CheckBlock.ROWS);
      }
    }
  }

  private static boolean isConclusive(Evidence evidence, int row) {
    for (int check = 0; check < evidence.checks(); check++) {
      if (!evidence.isConclusive(evidence.at(row, check))) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void madeByDevice() {
    judge.madeByDevice();
  }

  @Override
  public void checked(int columns) {
    judge.checked(columns);
  }

  @Override
  public void refined() {
    judge.refined();
  }

  @Override
  public void undecided(GemmProblem p, Region part) {
    judge.undecided(p, part);
  }

  @Override
  public void suspect(GemmProblem p, Region part, Component component) {
    judge.suspect(p, part, component);
  }

  @Override
  public void inputDiffers(GemmProblem p, Region part, long block) {
    judge.inputDiffers(p, part, block);
  }

  @Override
  public void rightDiffers(GemmProblem p, Region part, long block) {
    judge.rightDiffers(p, part, block);
  }

  @Override
  public void panelDiffers(GemmProblem p, Region part, long panel, int kBlock) {
    judge.panelDiffers(p, part, panel, kBlock);
  }

  @Override
  public void recordDiffers(GemmProblem p, Region part, long block, int kBlock) {
    judge.recordDiffers(p, part, block, kBlock);
  }
}
