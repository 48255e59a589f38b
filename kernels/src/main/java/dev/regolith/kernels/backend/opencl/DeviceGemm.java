package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/**
 * One thread's products on the device: a region at a time.
 *
 * <p>What goes there is a copy of the region's rows of A (and of the old C), and the packed panels,
 * which stay. What comes back is the region of C, and exact sums: of C, made from the registers
 * that were stored; of the copies and the panels, made by reading them again after their last use.
 * What they say is for {@link DeviceEvidence} to see.
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
  private final DeviceEvidence evidence;

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
      evidence = parts.add(new DeviceEvidence(context, tile));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  DeviceQueue queue() {
    return queue;
  }

  /** The sums of the last product. */
  DeviceEvidence evidence() {
    return evidence;
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
        .buffer(evidence.ofC.open(tileRows * tileColumns, launch))
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
      scan(ProbePoint.DEVICE_A_LAST_USE, copyOfA, rows, depth, evidence.ofA, launch);
    }
    if (p.verify && p.beta != 0) {
      scan(ProbePoint.DEVICE_OLD_C_LAST_USE, copyOfOld, rows, columns, evidence.ofOld, launch);
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
      evidence.download(p, queue);
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
        .buffer(evidence.ofPanels.open((long) count * b.kBlocks(), launch))
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

  /**
   * Verifies all panels on the device; how many were damaged.
   *
   * @param mend whether to copy those anew
   */
  int verifyAll(PackedB b, ClObject buffer, DevicePanels panels, boolean mend, long launch) {
    scanPanels(b, buffer, 0, Math.toIntExact(b.panelCount()), launch);
    evidence.ofPanels.download(queue);
    return evidence.verifyAll(b, panels, mend ? queue : null);
  }

  @Override
  public void close() {
    parts.close();
  }
}
