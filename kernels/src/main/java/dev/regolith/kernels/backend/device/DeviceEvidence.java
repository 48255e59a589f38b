package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.ResultProbe;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The exact sums that a device made in one product of one thread, and what the host makes of them:
 * it compares them with seals that it made itself, or with the words that arrived.
 */
final class DeviceEvidence implements Parts.Part {
  private final DeviceSums all;
  private final long[] sums = new long[Seal.SUMS];
  private final long[] found = new long[Seal.SUMS];
  private final Region block = new Region();

  // What an entry of C is the sums of: so many rows and columns.
  private int entryRows;
  private int entryColumns;

  // The first entry of each kind.
  private long ofPanels;
  private long ofA;
  private long ofOld;
  private long ofKept;
  private boolean kept;
  private long ofRecords;

  DeviceEvidence(DeviceContext context) {
    all = new DeviceSums(context);
  }

  /**
   * Makes room for the sums of a product.
   *
   * @param rows of C that an entry is of, and {@code columns}; they divide those of a check block
   * @param predicts whether the device predicts, from check records
   */
  void open(GemmProblem p, Region region, int rows, int columns, boolean predicts, long launch) {
    entryRows = rows;
    entryColumns = columns;
    long across = Math.ceilDiv((long) PackedBCheck.columns(region, p.b), columns);
    ofPanels = Math.ceilDiv(region.rows, rows) * across;
    boolean reads = p.verify && p.depth > 0;
    ofA = ofPanels + (reads ? (long) PackedBCheck.panels(region, p.b) * p.b.kBlocks() : 0);
    long down = CheckBlock.down(region.rows);
    ofOld = ofA + (reads ? down * CheckBlock.across(p.depth) : 0);
    long blocks = down * region.blocks;
    ofKept = ofOld + (p.verify && p.beta != 0 ? blocks : 0);
    kept = p.verify && p.cResident != null;
    ofRecords = ofKept + (kept ? blocks : 0);
    all.open(ofRecords + (predicts ? (long) region.blocks * p.b.kBlocks() : 0), launch);
  }

  /** Makes room for the sums of so many panels, and of nothing else. */
  void openPanels(PackedB b, int panels, long launch) {
    ofPanels = 0;
    all.open((long) panels * b.kBlocks(), launch);
  }

  /** Where the kernels put the sums. */
  DeviceObject memory() {
    return all.memory();
  }

  /** Those of what was stored into C: by row and column of entries. */
  long ofC() {
    return 0;
  }

  /** Those of packed panels: by panel and k-block. */
  long ofPanels() {
    return ofPanels;
  }

  /** Those of the copy of A: by check block. */
  long ofA() {
    return ofA;
  }

  /** Those of the copy of the old C: by check block. */
  long ofOld() {
    return ofOld;
  }

  /** Those of the region of C where it stays: by check block. */
  long ofKept() {
    return ofKept;
  }

  /** Those of check records: by k-block and check block. */
  long ofRecords() {
    return ofRecords;
  }

  /** Brings the sums to the host. */
  void download(DeviceQueue queue) {
    all.download(queue);
  }

  /** Compares the sums of the panels with the host's seals, and mends the device's panels. */
  void verifyPanels(
      GemmProblem p,
      Region region,
      DevicePanels panels,
      DeviceQueue queue,
      Backend host,
      Workspace workspace,
      EvidenceSink sink) {
    PackedB b = p.b;
    long first = b.panel(region.matrix, region.block);
    for (int i = 0; p.depth > 0 && i < PackedBCheck.panels(region, b); i++) {
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        if (isSealed(b, first, i, kBlock)) {
          continue;
        }
        // The seal, the host's panel, or the device's copy of it: the host's are put right first.
        if (!host.isIntact(b, first + i, kBlock, found, workspace)) {
          sink.panelDiffers(p, region, first + i, kBlock);
        }
        if (!isSealed(b, first, i, kBlock)) {
          panels.mend(b, first + i, kBlock, queue);
          sink.suspect(p, region, Component.DEVICE_BUFFER);
        }
      }
    }
  }

  /** Compares the sums of the records with the host's seals, and mends the device's records. */
  void verifyRecords(
      GemmProblem p, Region region, DevicePanels panels, DeviceQueue queue, EvidenceSink sink) {
    PackedB b = p.b;
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      for (int i = 0; i < region.blocks; i++) {
        long at = region.block + i;
        long entry = ofRecords + (long) kBlock * region.blocks + i;
        if (isRecordSealed(b, region.matrix, at, kBlock, entry)) {
          continue;
        }
        if (!b.isRecordIntact(region.matrix, at, kBlock, found)) {
          sink.recordDiffers(p, region, at, kBlock);
        }
        if (!isRecordSealed(b, region.matrix, at, kBlock, entry)) {
          panels.mendRecord(b, region.matrix, at, kBlock, queue);
          sink.suspect(p, region, Component.DEVICE_BUFFER);
        }
      }
    }
  }

  private boolean isRecordSealed(PackedB b, long matrix, long at, int kBlock, long entry) {
    int seal = b.recordSealAt(matrix, at, kBlock);
    if (Probe.ON) {
      Probe.reach(ProbePoint.CHECK_VECTORS_SEAL, b.recordSeals(), seal, Seal.SUMS);
    }
    return all.isSealed(b.recordSeals(), seal / Seal.SUMS, entry);
  }

  /** Whether the sums of a panel that was summed up are those of its seal. */
  private boolean isSealed(PackedB b, long first, int panel, int kBlock) {
    long entry = ofPanels + (long) panel * b.kBlocks() + kBlock;
    return all.isSealed(b, first + panel, kBlock, entry);
  }

  /**
   * Compares the sums of all panels with their seals; how many differ.
   *
   * @param queue with which those are copied anew; null to leave them
   */
  int verifyAll(PackedB b, DevicePanels panels, @Nullable DeviceQueue queue) {
    int damaged = 0;
    for (int panel = 0; panel < b.panelCount(); panel++) {
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        if (isSealed(b, 0, panel, kBlock)) {
          continue;
        }
        damaged++;
        if (queue != null) {
          panels.mend(b, panel, kBlock, queue);
        }
      }
    }
    return damaged;
  }

  /**
   * Compares the sums of the copy of A with the seals of A. Where A itself disagrees with its seals
   * in the same way, that is not the copy's fault, and found when the region is examined, which it
   * is not if the device predicted.
   */
  void verifyA(
      GemmProblem p,
      Region region,
      boolean predicted,
      Backend host,
      Workspace workspace,
      EvidenceSink sink) {
    SealGrid seals = p.aSeals;
    if (seals == null || p.depth == 0) {
      return;
    }
    long across = CheckBlock.across(p.depth);
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      int first = p.aSealBlock(seals, region.matrix, region.row + row);
      for (int i = 0; i < across; i++) {
        if (Probe.ON && predicted) {
          Probe.reach(ProbePoint.A_SEAL, seals.sums(), Seal.SUMS * (first + i), Seal.SUMS);
        }
        Arrays.fill(sums, 0);
        all.addTo(sums, ofA + row / CheckBlock.ROWS * across + i);
        if (Seal.same(sums, 0, seals.sums(), Seal.SUMS * (first + i))) {
          continue;
        }
        if (!p.aAway) {
          host.scan(p.a, seals, first + i, found, workspace);
          if (Seal.same(sums, 0, found, 0)) {
            if (predicted) {
              sink.inputDiffers(p, region, first + i);
            }
            continue;
          }
        }
        suspect(p, region, row, 0, region.blocks, sink);
      }
    }
  }

  /** Compares the sums of the copy of the old C with its words on the host. */
  void verifyOld(
      GemmProblem p, Region region, Backend host, Workspace workspace, EvidenceSink sink) {
    if (p.beta == 0) {
      return;
    }
    long columns = PackedBCheck.columns(region, p.b);
    long left = 4 * region.block * CheckBlock.COLUMNS;
    long from = p.oldCRow(region.matrix, region.row) + left;
    var range = new Range(from / 4, 1, region.rows, columns, 0, p.oldCStride / 4, 1);
    var grid = new SealGrid(range);
    for (int number = 0; number < grid.blocks(); number++) {
      Arrays.fill(sums, 0);
      all.addTo(sums, ofOld + number);
      host.scan(p.oldC, grid, number, found, workspace);
      if (!Seal.same(sums, 0, found, 0)) {
        int column = (int) grid.column(number) / CheckBlock.COLUMNS;
        suspect(p, region, (int) grid.row(number), column, 1, sink);
      }
    }
  }

  /** Makes the seals of C: of words that arrived, or, if none did, of what was stored. */
  void seal(GemmProblem p, Region region, Backend host, Workspace workspace) {
    if (Probe.ON && !p.cAway) {
      ResultProbe.reach(ProbePoint.C_STORED, p, region);
    }
    SealGrid seals = p.cSeals;
    for (int row = 0; seals != null && row < region.rows; row += CheckBlock.ROWS) {
      for (int i = 0; i < region.blocks; i++) {
        int number = sealOf(seals, region, row, i);
        if (p.cAway) {
          addStored(p, region, row, i);
        } else {
          host.scan(p.c, seals, number, sums, workspace);
        }
        System.arraycopy(sums, 0, seals.sums(), Seal.SUMS * number, Seal.SUMS);
      }
    }
    if (Probe.ON && !p.cAway) {
      ResultProbe.reach(ProbePoint.C_CHECKED, p, region);
    }
  }

  private static int sealOf(SealGrid seals, Region region, int row, int i) {
    long blockRow = (region.row + row) / CheckBlock.ROWS;
    return seals.block(region.matrix, blockRow, region.block + i);
  }

  /** The sums of what was stored into a check block. */
  private void addStored(GemmProblem p, Region region, int row, int i) {
    long columns = PackedBCheck.columns(region, p.b);
    long inRow = Math.ceilDiv(columns, entryColumns);
    int rows = Math.min(CheckBlock.ROWS, region.rows - row);
    Arrays.fill(sums, 0);
    long end = Math.min(columns, (i + 1L) * CheckBlock.COLUMNS);
    for (long down = row / entryRows; down * entryRows < row + rows; down++) {
      long across = (long) i * CheckBlock.COLUMNS / entryColumns;
      for (; across * entryColumns < end; across++) {
        all.addTo(sums, down * inRow + across);
      }
    }
  }

  /** Compares the sums of what was stored, and of what stays, with the seals of what arrived. */
  void verifyResult(GemmProblem p, Region region, EvidenceSink sink) {
    SealGrid seals = p.cSeals;
    for (int row = 0; seals != null && row < region.rows; row += CheckBlock.ROWS) {
      for (int i = 0; i < region.blocks; i++) {
        int number = sealOf(seals, region, row, i);
        addStored(p, region, row, i);
        boolean same = Seal.same(sums, 0, seals.sums(), Seal.SUMS * number);
        if (kept) {
          long entry = ofKept + (long) row / CheckBlock.ROWS * region.blocks + i;
          same &= all.isSealed(seals.sums(), number, entry);
        }
        if (!same) {
          suspect(p, region, row, i, 1, sink);
        }
      }
    }
  }

  private void suspect(
      GemmProblem p, Region region, int row, int firstBlock, int blocks, EvidenceSink sink) {
    int rows = Math.min(CheckBlock.ROWS, region.rows - row);
    block.set(region.matrix, region.row + row, rows, region.block + firstBlock, blocks);
    sink.suspect(p, block, Component.DEVICE_BUFFER);
  }

  @Override
  public void close() {
    all.close();
  }
}
