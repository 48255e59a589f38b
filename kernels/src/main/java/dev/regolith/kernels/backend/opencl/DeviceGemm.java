package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.Arrays;

/**
 * One thread's products on the device: a region at a time.
 *
 * <p>What goes there is a copy of the region's rows of A (and of the old C), and the packed panels,
 * which stay. What comes back is the region of C, and exact sums: of C, made from the registers
 * that were stored; of the copies and the panels, made by reading them again after their last use.
 * The device is never asked whether it is right: the host compares all sums with seals that it made
 * itself, or with the words that arrived.
 */
final class DeviceGemm implements AutoCloseable {
  private final Parts parts = new Parts();
  private final GemmTile tile;
  private final DeviceQueue queue;
  private final DeviceKernel multiply;
  private final DeviceKernel scanPanels;
  private final DeviceKernel scanMatrix;
  private final DeviceBuffer a;
  private final DeviceBuffer old;
  private final DeviceBuffer c;
  private final DeviceSums cSums;
  private final DeviceSums panelSums;
  private final DeviceSums aSums;
  private final DeviceSums oldSums;
  private final long[] sums = new long[Seal.SUMS];
  private final long[] found = new long[Seal.SUMS];
  private final Region block = new Region();

  DeviceGemm(ClContext context, GemmProgram program) {
    tile = program.tile();
    try {
      queue = parts.add(new DeviceQueue(context));
      multiply = parts.add(new DeviceKernel(program.newKernel("gemm")));
      scanPanels = parts.add(new DeviceKernel(program.newKernel("scan_panels")));
      scanMatrix = parts.add(new DeviceKernel(program.newKernel("scan_matrix")));
      a = parts.add(new DeviceBuffer(context));
      old = parts.add(new DeviceBuffer(context));
      c = parts.add(new DeviceBuffer(context));
      cSums = parts.add(new DeviceSums(context));
      panelSums = parts.add(new DeviceSums(context));
      aSums = parts.add(new DeviceSums(context));
      oldSums = parts.add(new DeviceSums(context));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  DeviceQueue queue() {
    return queue;
  }

  /**
   * Multiplies, and brings the result and all sums to the host.
   *
   * @param launch a number that no other launch has had
   */
  void run(GemmProblem p, Region region, ClObject panels, long launch) {
    PackedB b = p.b;
    long rows = region.rows;
    long columns = PackedBCheck.columns(region, b);
    long depth = p.depth;
    long panel = b.panel(region.matrix, region.block);
    int panelCount = PackedBCheck.panels(region, b);
    long left = 4 * region.block * CheckBlock.COLUMNS;

    ClObject copyOfA = a.atLeast(4 * rows * depth);
    ClObject copyOfOld = old.atLeast(p.beta == 0 ? 0 : 4 * rows * columns);
    ClObject result = c.atLeast(4 * rows * columns);
    queue.uploadRows(p.a, p.aRow(region.matrix, region.row), rows, 4 * depth, p.aStride, copyOfA);
    if (p.beta != 0) {
      long from = p.oldCRow(region.matrix, region.row) + left;
      queue.uploadRows(p.oldC, from, rows, 4 * columns, p.oldCStride, copyOfOld);
    }
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_A_READ, copyOfA, 0, 4 * rows * depth);
      queue.probe(
          ProbePoint.DEVICE_B_READ,
          panels,
          b.panelOffset(panel, 0),
          4L * panelCount * b.panelColumns() * depth);
      queue.probe(ProbePoint.DEVICE_OLD_C_READ, copyOfOld, 0, p.beta == 0 ? 0 : 4 * rows * columns);
    }
    long tileRows = Math.ceilDiv(rows, tile.rows());
    long tileColumns = Math.ceilDiv(columns, tile.columns());
    multiply
        .open()
        .buffer(copyOfA)
        .buffer(panels)
        .buffer(copyOfOld)
        .buffer(result)
        .buffer(cSums.open(tileRows * tileColumns, launch))
        .number(panel)
        .number(depth)
        .number(rows)
        .number(columns)
        .real(p.alpha)
        .real(p.beta)
        .number(launch);
    if (tile.columnsFirst()) {
      queue.run(ProbePoint.DEVICE_LAUNCH, multiply, tileColumns, tileRows, tile.group());
    } else {
      queue.run(ProbePoint.DEVICE_LAUNCH, multiply, tileRows, tileColumns, tile.group());
    }
    if (p.verify && depth > 0) {
      scanPanels(b, panels, panel, panelCount, launch);
      scan(ProbePoint.DEVICE_A_LAST_USE, copyOfA, rows, depth, aSums, launch);
    }
    if (p.verify && p.beta != 0) {
      scan(ProbePoint.DEVICE_OLD_C_LAST_USE, copyOfOld, rows, columns, oldSums, launch);
    }
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_C_STORED, result, 0, 4 * rows * columns);
    }
    queue.downloadRows(
        result, rows, 4 * columns, p.c, p.cRow(region.matrix, region.row) + left, p.cStride);
    if (Probe.ON && !p.verify) {
      long at = p.cRow(region.matrix, region.row) + left;
      Probe.reach(ProbePoint.C_STORED, p.c, at, rows, 4 * columns, p.cStride);
      Probe.reach(ProbePoint.C_CHECKED, p.c, at, rows, 4 * columns, p.cStride);
    }
    if (p.verify) {
      cSums.download(queue);
      if (depth > 0) {
        panelSums.download(queue);
        aSums.download(queue);
      }
      if (p.beta != 0) {
        oldSums.download(queue);
      }
    }
  }

  /**
   * Has panels summed up.
   *
   * @param panel the first
   */
  private void scanPanels(PackedB b, ClObject panels, long panel, int count, long launch) {
    if (Probe.ON) {
      long bytes = 4L * count * b.panelColumns() * b.depth();
      queue.probe(ProbePoint.DEVICE_B_LAST_USE, panels, b.panelOffset(panel, 0), bytes);
    }
    scanPanels
        .open()
        .buffer(panels)
        .buffer(panelSums.open((long) count * b.kBlocks(), launch))
        .number(panel)
        .number(b.depth())
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanPanels, b.kBlocks(), count, 1);
  }

  /** Has a dense matrix summed up, a check block at a time. */
  private void scan(
      ProbePoint point, ClObject words, long rows, long columns, DeviceSums to, long launch) {
    if (Probe.ON) {
      queue.probe(point, words, 0, 4 * rows * columns);
    }
    long across = CheckBlock.across(columns);
    long down = CheckBlock.down(rows);
    scanMatrix
        .open()
        .buffer(words)
        .buffer(to.open(across * down, launch))
        .number(rows)
        .number(columns)
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanMatrix, across, down, 1);
  }

  // ------------------------------------------------------------------------------- verification

  /** Compares the sums of the panels with the host's seals, and mends the device's panels. */
  void verifyPanels(
      GemmProblem p,
      Region region,
      DevicePanels panels,
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

  /** Whether the sums of a panel that was summed up are those of its seal. */
  private boolean isSealed(PackedB b, long first, int panel, int kBlock) {
    Arrays.fill(sums, 0);
    panelSums.addTo(sums, (long) panel * b.kBlocks() + kBlock);
    int at = b.panelSealAt(first + panel, kBlock);
    if (Probe.ON) {
      Probe.reach(ProbePoint.PACKED_B_SEAL, b.panelSeals(), at, Seal.SUMS);
    }
    return Seal.same(sums, 0, b.panelSeals(), at);
  }

  /**
   * Verifies all panels on the device; how many were damaged.
   *
   * @param mend whether to copy those anew
   */
  int verifyAll(PackedB b, ClObject buffer, DevicePanels panels, boolean mend, long launch) {
    int count = Math.toIntExact(b.panelCount());
    scanPanels(b, buffer, 0, count, launch);
    panelSums.download(queue);
    int damaged = 0;
    for (int panel = 0; panel < count; panel++) {
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        if (isSealed(b, 0, panel, kBlock)) {
          continue;
        }
        damaged++;
        if (mend) {
          panels.mend(b, panel, kBlock, queue);
        }
      }
    }
    return damaged;
  }

  /**
   * Compares the sums of the copy of A with the seals of A. Where A itself disagrees with its seals
   * in the same way, that is not the copy's fault, and found when the region is examined.
   */
  void verifyA(GemmProblem p, Region region, Backend host, Workspace workspace, EvidenceSink sink) {
    SealGrid seals = p.aSeals;
    if (seals == null || p.depth == 0) {
      return;
    }
    long across = CheckBlock.across(p.depth);
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      int first = p.aSealBlock(seals, region.matrix, region.row + row);
      for (int i = 0; i < across; i++) {
        Arrays.fill(sums, 0);
        aSums.addTo(sums, row / CheckBlock.ROWS * across + i);
        if (Seal.same(sums, 0, seals.sums(), Seal.SUMS * (first + i))) {
          continue;
        }
        host.scan(p.a, seals, first + i, found, workspace);
        if (!Seal.same(sums, 0, found, 0)) {
          suspect(p, region, row, 0, region.blocks, sink);
        }
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
      oldSums.addTo(sums, number);
      host.scan(p.oldC, grid, number, found, workspace);
      if (!Seal.same(sums, 0, found, 0)) {
        int column = (int) grid.column(number) / CheckBlock.COLUMNS;
        suspect(p, region, (int) grid.row(number), column, 1, sink);
      }
    }
  }

  /** Compares the sums of the registers that were stored with the seals of what arrived. */
  void verifyResult(GemmProblem p, Region region, EvidenceSink sink) {
    SealGrid seals = p.cSeals;
    if (seals == null) {
      return;
    }
    long columns = PackedBCheck.columns(region, p.b);
    long tileColumns = Math.ceilDiv(columns, tile.columns());
    for (int row = 0; row < region.rows; row += CheckBlock.ROWS) {
      int rows = Math.min(CheckBlock.ROWS, region.rows - row);
      for (int i = 0; i < region.blocks; i++) {
        Arrays.fill(sums, 0);
        long end = Math.min(columns, (i + 1L) * CheckBlock.COLUMNS);
        for (long down = row / tile.rows(); down * tile.rows() < row + rows; down++) {
          long across = (long) i * CheckBlock.COLUMNS / tile.columns();
          for (; across * tile.columns() < end; across++) {
            cSums.addTo(sums, down * tileColumns + across);
          }
        }
        long blockRow = (region.row + row) / CheckBlock.ROWS;
        int at = Seal.SUMS * seals.block(region.matrix, blockRow, region.block + i);
        if (!Seal.same(sums, 0, seals.sums(), at)) {
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
    parts.close();
  }
}
