package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import java.util.BitSet;
import java.util.function.BiConsumer;

/**
 * Stands between the evidence of a result that has bits of its own and who judges it. Rows that
 * nothing is predicted for, because inputs are not finite, are judged by their bits; so those are
 * kept back, and computed in the canonical order.
 */
final class ConclusiveRows implements EvidenceSink {
  private final EvidenceSink judge;
  private final boolean keepsBack;

  /** Rows of check blocks, by number. */
  private final BitSet inconclusive = new BitSet();

  ConclusiveRows(EvidenceSink judge) {
    this(judge, true);
  }

  private ConclusiveRows(EvidenceSink judge, boolean keepsBack) {
    this.judge = judge;
    this.keepsBack = keepsBack;
  }

  /**
   * Has the rows that were kept back computed in the canonical order. Where something can be
   * predicted of all of them after all, what they were kept back for was damaged.
   *
   * @param computer computes a region, and tells a sink
   */
  void settle(GemmProblem p, Region region, BiConsumer<Region, EvidenceSink> computer) {
    if (!inconclusive.isEmpty() && p.cAway && p.cResident != null) {
      p.cResident.spoil(); // all of it comes here, and is computed once more
      return;
    }
    for (int from = inconclusive.nextSetBit(0); from >= 0; ) {
      int to = inconclusive.nextClearBit(from);
      long row = (long) from * CheckBlock.ROWS;
      int rows = (int) Math.min((long) to * CheckBlock.ROWS, region.row + region.rows) - (int) row;
      var part = new Region().set(region.matrix, row, rows, region.block, region.blocks);
      var again = new ConclusiveRows(judge, false);
      computer.accept(part, again);
      if (again.inconclusive.isEmpty()) {
        judge.suspect(p, part, Component.DEVICE_BUFFER);
      }
      from = inconclusive.nextSetBit(to);
    }
  }

  @Override
  public void evidence(
      GemmProblem p, Region part, long row, int rows, Evidence evidence, int evidenceRow) {
    for (int i = 0; i < rows; i++) {
      boolean conclusive = isConclusive(evidence, evidenceRow + i);
      if (!conclusive) {
        inconclusive.set((int) ((row + i) / CheckBlock.ROWS));
      }
      if (conclusive || !keepsBack) {
        judge.evidence(p, part, row + i, 1, evidence, evidenceRow + i);
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
