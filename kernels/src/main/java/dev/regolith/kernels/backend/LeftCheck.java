package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/** Compares what a region read of A with the seals of A. */
public final class LeftCheck {
  private LeftCheck() {}

  /** Reads the region's rows of A again, after their last use. */
  public static void verify(
      Backend backend,
      GemmProblem p,
      Region region,
      long[] found,
      Workspace workspace,
      EvidenceSink sink) {
    SealGrid seals = p.aSeals;
    if (seals == null) {
      return;
    }
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      int block = p.aSealBlock(seals, region.matrix, region.row + row);
      for (long i = 0; i < CheckBlock.across(p.depth); i++) {
        backend.scan(p.a, seals, block + i, found, workspace);
        compare(p, region, block + i, found, sink);
      }
    }
  }

  /** Compares the sums of a block that was read with its seal. */
  public static void compare(
      GemmProblem p, Region region, long block, long[] found, EvidenceSink sink) {
    SealGrid seals = p.aSeals;
    if (seals == null) {
      return;
    }
    int at = Math.toIntExact(Seal.SUMS * block);
    if (Probe.ON) {
      Probe.reach(ProbePoint.A_SEAL, seals.sums(), at, Seal.SUMS);
    }
    if (!Seal.same(found, 0, seals.sums(), at)) {
      sink.inputDiffers(p, region, block);
    }
  }
}
