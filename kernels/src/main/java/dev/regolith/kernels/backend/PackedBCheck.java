package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/** Verifies, after their last use in a region, the packed panels and check records it read. */
public final class PackedBCheck {
  private PackedBCheck() {}

  /** Reads the panels of a region's k-block again, after their last use. */
  public static void verifyPanels(
      Backend backend,
      GemmProblem p,
      Region region,
      int kBlock,
      long[] found,
      Workspace workspace,
      EvidenceSink sink) {
    PackedB b = p.b;
    long panel = b.panel(region.matrix, region.block);
    int count = panels(region, b);
    for (int i = 0; i < count; i++, panel++) {
      long offset = b.panelOffset(panel, kBlock);
      int words = b.panelWords(kBlock);
      if (Probe.ON) {
        Probe.reach(ProbePoint.PACKED_B_LAST_USE, b.panelsWith(panel), offset, 1, 4L * words, 0);
      }
      backend.scan(b.panelsWith(panel), offset, words, found, workspace);
      compareSeal(p, region, panel, kBlock, found, sink);
    }
  }

  /**
   * Compares the running sums of a panel's k-block, as it was read last, with its digest.
   *
   * @param at place of the first sum
   */
  public static void compareDigest(
      GemmProblem p,
      Region region,
      long panel,
      int kBlock,
      long[] sums,
      int at,
      EvidenceSink sink) {
    PackedB b = p.b;
    if (Probe.ON) {
      int seal = b.panelSealAt(panel, kBlock);
      int digest = b.panelDigestAt(panel, kBlock);
      Probe.reach(ProbePoint.PACKED_B_SEAL, b.panelSeals(), seal, Seal.SUMS);
      Probe.reach(ProbePoint.PACKED_B_DIGEST, b.panelDigests(), digest, Digest.length(b.lanes()));
    }
    if (!b.agrees(panel, kBlock, sums, at)) {
      sink.panelDiffers(p, region, panel, kBlock);
    }
  }

  /** Compares the sums of a panel's k-block, as it was read last, with its seal. */
  public static void compareSeal(
      GemmProblem p, Region region, long panel, int kBlock, long[] found, EvidenceSink sink) {
    PackedB b = p.b;
    int seal = b.panelSealAt(panel, kBlock);
    if (Probe.ON) {
      Probe.reach(ProbePoint.PACKED_B_SEAL, b.panelSeals(), seal, Seal.SUMS);
    }
    if (!Seal.same(found, 0, b.panelSeals(), seal)) {
      sink.panelDiffers(p, region, panel, kBlock);
    }
  }

  /** Reads the check records of a region's k-block again, after their last use. */
  public static void verifyRecords(
      Backend backend,
      GemmProblem p,
      Region region,
      int kBlock,
      long[] found,
      Workspace workspace,
      EvidenceSink sink) {
    PackedB b = p.b;
    for (int i = 0; i < region.blocks; i++) {
      long block = region.block + i;
      long offset = b.recordOffset(region.matrix, block, kBlock);
      int at = b.recordSealAt(region.matrix, block, kBlock);
      if (Probe.ON) {
        long bytes = 4L * b.depthOf(kBlock);
        Probe.reach(ProbePoint.CHECK_VECTORS_LAST_USE, b.records(), offset, 1, bytes, 0);
        Probe.reach(ProbePoint.CHECK_VECTORS_SEAL, b.recordSeals(), at, Seal.SUMS);
      }
      backend.scan(b.records(), offset, b.recordWords(), found, workspace);
      if (!Seal.same(found, 0, b.recordSeals(), at)) {
        sink.recordDiffers(p, region, block, kBlock);
      }
    }
  }

  /** Panels in a region. */
  public static int panels(Region region, PackedB b) {
    return (region.blocks - 1) * b.panelsPerBlock() + b.panelsOf(region.block + region.blocks - 1);
  }

  /** Columns of C in a region. */
  public static int columns(Region region, PackedB b) {
    return (region.blocks - 1) * CheckBlock.COLUMNS + b.columnsOf(region.block + region.blocks - 1);
  }

  /** Shows the records that a k-block of a region is about to read to the probe. */
  public static void probeRecords(GemmProblem p, Region region, int kBlock) {
    PackedB b = p.b;
    long record = b.recordOffset(region.matrix, region.block, kBlock);
    int depth = b.depthOf(kBlock);
    Probe.reach(
        ProbePoint.CHECK_VECTORS_READ,
        b.records(),
        record,
        region.blocks,
        4L * depth,
        b.recordBytes());
    Probe.reach(
        ProbePoint.TOLERANCE_COEFFICIENTS_READ,
        b.records(),
        record + b.coefficients(),
        region.blocks,
        8L * Math.ceilDiv(depth, Tolerance.GRAIN),
        b.recordBytes());
  }
}
