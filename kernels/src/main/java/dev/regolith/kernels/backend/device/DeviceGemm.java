package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.ResultProbe;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One thread's products on the device: a region at a time.
 *
 * <p>What goes there is a copy of the region's rows of A (and of the old C), and the packed panels,
 * which stay. What comes back is the region of C, and exact sums: of C, made from the registers
 * that were stored, or of what a vendor's library stored; of the copies and the panels, made by
 * reading them again after their last use. What they say is for {@link DeviceEvidence} to see.
 */
final class DeviceGemm implements DeviceWorkspace.Queued {
  /**
   * Kernels that read panels of a form.
   *
   * @param multiplyOnce sums panels up while it reads them, once; null if there is none
   */
  private record OfPanels(
      DeviceKernel multiply, @Nullable DeviceKernel multiplyOnce, DeviceKernel scan) {}

  private final Parts parts = new Parts();
  private final GemmTile tile;
  private final DeviceQueue queue;
  private final GemmProgram program;
  private final boolean readsOnce;
  private final Map<PanelForm, OfPanels> ofPanels = new HashMap<>();
  private final DeviceKernel scanMatrix;
  private final DeviceKernel place;
  private final DeviceBuffer a;
  private final DeviceBuffer old;
  private final DeviceBuffer c;
  private final DeviceEvidence evidence;
  private final @Nullable DevicePrediction prediction;
  private final @Nullable VendorProducts vendor;
  private final @Nullable VendorGemm ofVendor;

  /**
   * Where the rows of A are: behind others in memory of a tensor's own, or where they were copied.
   */
  private @Nullable DeviceObject rowsOfA;

  private long rowsAbove;
  private boolean allOfA;

  DeviceGemm(DeviceContext context, GemmProgram program) {
    this(context, program, null, null);
  }

  /**
   * Products whose evidence the device can make, or that a vendor's library computes.
   *
   * @param ofEvidence kernels that make it, or null
   * @param vendor has the library, or null
   */
  DeviceGemm(
      DeviceContext context,
      GemmProgram program,
      @Nullable EvidenceProgram ofEvidence,
      @Nullable VendorProducts vendor) {
    this.program = program;
    this.vendor = vendor;
    tile = program.tile();
    readsOnce = tile.readsPanels(program.panelColumns());
    try {
      queue = parts.add(new DeviceQueue(context));
      scanMatrix = parts.add(program.newKernel("scan_matrix"));
      place = parts.add(program.newKernel("place_region"));
      a = parts.add(new DeviceBuffer(context));
      old = parts.add(new DeviceBuffer(context));
      c = parts.add(new DeviceBuffer(context));
      evidence = parts.add(new DeviceEvidence(context));
      prediction = ofEvidence == null ? null : parts.add(new DevicePrediction(context, ofEvidence));
      ofVendor = vendor == null ? null : vendor.on(queue);
      if (ofVendor != null) {
        parts.add(ofVendor);
      }
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  private OfPanels ofPanels(PanelForm form) {
    OfPanels known = ofPanels.get(form);
    if (known == null) {
      known =
          new OfPanels(
              parts.add(program.newKernel("gemm", form)),
              readsOnce ? parts.add(program.newKernel("gemm_once", form)) : null,
              parts.add(program.newKernel("scan_panels", form)));
      ofPanels.put(form, known);
    }
    return known;
  }

  @Override
  public DeviceQueue queue() {
    return queue;
  }

  /** The sums of the last product. */
  DeviceEvidence evidence() {
    return evidence;
  }

  /**
   * Multiplies, and brings the result and all sums to the host.
   *
   * @param records check records to predict from, if the device is to make the evidence
   * @param ofA all of A, if the device has it; otherwise the region's rows are copied
   * @param mayBeVendors whether a vendor's library may multiply, if it can
   * @param launch a number that no other launch has had
   * @return whether it did
   */
  boolean run(
      GemmProblem p,
      Region region,
      PanelBuffer panels,
      @Nullable DeviceObject records,
      @Nullable DeviceWords ofA,
      boolean mayBeVendors,
      long launch) {
    uploadOld(p, region);
    if (ofA == null) {
      if (Probe.ON && records != null) {
        long from = p.aRow(region.matrix, region.row);
        Probe.reach(ProbePoint.A_READ, p.a, from, region.rows, 4 * p.depth, p.aStride);
      }
      uploadA(p, region);
    } else {
      rowsOfA = ofA.buffer();
      rowsAbove = p.depth == 0 ? 0 : p.aRow(region.matrix, region.row) / (4 * p.depth);
      allOfA = true;
    }
    if (Probe.ON) {
      probeOperands(p, region, panels);
    }
    boolean byVendor = mayBeVendors && multiplyByVendor(p, region, panels, records != null, launch);
    if (!byVendor) {
      multiply(p, region, panels, records != null, launch);
    }
    if (p.cResident instanceof DeviceResult result) {
      place(p, region, result, launch);
    }
    if (records != null) {
      predict(p, region, records, launch);
    }
    if (p.verify) {
      scanOperands(p, region, panels, byVendor, launch);
    }
    if (!p.cAway) {
      downloadResult(p, region);
    }
    if (p.verify) {
      evidence.download(queue);
    } else if (p.cAway) {
      queue.finish();
    }
    if (records != null) {
      prediction().download(queue);
    }
    return byVendor;
  }

  /** The evidence that the device made. */
  DevicePrediction prediction() {
    return Objects.requireNonNull(prediction);
  }

  private void predict(GemmProblem p, Region region, DeviceObject records, long launch) {
    DevicePrediction made = prediction();
    made.open(p, region, launch);
    if (Probe.ON) {
      long from = p.b.recordOffset(region.matrix, region.block, 0);
      long bytes = DevicePrediction.bytesOfRecords(p, region);
      queue.probe(ProbePoint.DEVICE_RECORDS_READ, records, from, bytes);
    }
    made.predict(p, region, memoryOfA(), rowsAbove, records, queue);
    if (p.cResident instanceof DeviceResult result) {
      made.show(p, region, result.buffer(), firstOf(p, region), p.columns, queue);
    } else {
      made.show(
          p, region, c.atLeast(bytesOfC(p, region)), 0, PackedBCheck.columns(region, p.b), queue);
    }
    if (p.beta != 0) {
      made.showOld(p, region, old.atLeast(bytesOfOld(p, region)), queue);
    }
    DeviceObject sums = evidence.memory();
    made.scanRecords(p, region, records, sums, evidence.ofRecords(), launch, queue);
  }

  /** The first word of a region in all of C, where it stays. */
  private static long firstOf(GemmProblem p, Region region) {
    return (region.matrix * p.rows + region.row) * p.columns + left(region) / 4;
  }

  /** Copies what a region reads, but for the panels. */
  void upload(GemmProblem p, Region region) {
    uploadA(p, region);
    uploadOld(p, region);
  }

  private void uploadA(GemmProblem p, Region region) {
    DeviceObject copyOfA = a.atLeast(bytesOfA(p, region));
    long from = p.aRow(region.matrix, region.row);
    queue.uploadRows(p.a, from, region.rows, 4 * p.depth, p.aStride, copyOfA);
    rowsOfA = copyOfA;
    rowsAbove = 0;
    allOfA = false;
  }

  private void uploadOld(GemmProblem p, Region region) {
    DeviceObject copyOfOld = old.atLeast(bytesOfOld(p, region));
    if (p.beta != 0) {
      long columns = PackedBCheck.columns(region, p.b);
      long from = p.oldCRow(region.matrix, region.row) + left(region);
      queue.uploadRows(p.oldC, from, region.rows, 4 * columns, p.oldCStride, copyOfOld);
    }
  }

  private DeviceObject memoryOfA() {
    return Objects.requireNonNull(rowsOfA);
  }

  /**
   * Copies a region's rows, which lie one behind the other, to where they are {@code pitch} apart.
   */
  private void copyRows(
      Region region, long columns, DeviceObject from, DeviceObject to, long first, long pitch) {
    place.open().buffer(from).buffer(to).number(first).number(pitch).number(columns);
    queue.run(ProbePoint.DEVICE_LAUNCH, place, region.rows, 1, tile.scanners());
  }

  /** Copies a region of C to its place in all of C, and has it summed up there. */
  private void place(GemmProblem p, Region region, DeviceResult result, long launch) {
    long columns = PackedBCheck.columns(region, p.b);
    long first = firstOf(p, region);
    DeviceObject computed = c.atLeast(bytesOfC(p, region));
    copyRows(region, columns, computed, result.buffer(), first, p.columns);
    if (p.verify) {
      long down = region.matrix * CheckBlock.down(p.rows) + region.row / CheckBlock.ROWS;
      long block = down * CheckBlock.across(p.columns) + region.block;
      long blocks = CheckBlock.down(region.rows) * region.blocks;
      if (Probe.ON) {
        long bytes = 4 * ((region.rows - 1) * p.columns + columns);
        queue.probe(ProbePoint.DEVICE_C_KEPT, result.buffer(), 4 * first, bytes);
      }
      scan(
          result.buffer(),
          block,
          blocks,
          region.blocks,
          p.rows,
          p.columns,
          evidence.ofKept(),
          launch);
    }
  }

  private static long bytesOfA(GemmProblem p, Region region) {
    return 4L * region.rows * p.depth;
  }

  private static long bytesOfOld(GemmProblem p, Region region) {
    return p.beta == 0 ? 0 : bytesOfC(p, region);
  }

  private static long bytesOfC(GemmProblem p, Region region) {
    return 4L * region.rows * PackedBCheck.columns(region, p.b);
  }

  /** Bytes of a row of C that lie left of a region. */
  private static long left(Region region) {
    return 4 * region.block * CheckBlock.COLUMNS;
  }

  private void probeOperands(GemmProblem p, Region region, PanelBuffer panels) {
    long skipped = 4 * rowsAbove * p.depth;
    queue.probe(ProbePoint.DEVICE_A_READ, memoryOfA(), skipped, bytesOfA(p, region));
    long panel = p.b.panel(region.matrix, region.block);
    probePanels(ProbePoint.DEVICE_B_READ, p.b, panels, panel, PackedBCheck.panels(region, p.b));
    queue.probe(
        ProbePoint.DEVICE_OLD_C_READ, old.atLeast(bytesOfOld(p, region)), 0, bytesOfOld(p, region));
  }

  /** Shows the stretch of memory that some panels of a matrix lie in. */
  private void probePanels(
      ProbePoint point, PackedB b, PanelBuffer panels, long panel, long count) {
    PanelForm form = panels.form();
    long from = form.bytes(form.place(b, panel, 0));
    queue.probe(point, panels.memory(), from, form.bytes(form.length(b, count)));
  }

  /**
   * Has the vendor's library compute a region's C, and sums of what it stored made at once; whether
   * it can.
   */
  private boolean multiplyByVendor(
      GemmProblem p, Region region, PanelBuffer panels, boolean predicts, long launch) {
    if (vendor == null || ofVendor == null || !vendor.multiplies()) {
      return false;
    }
    if (p.depth == 0 || !panels.form().inRows()) {
      return false;
    }
    long columns = PackedBCheck.columns(region, p.b);
    DeviceObject result = c.atLeast(bytesOfC(p, region));
    evidence.open(p, region, CheckBlock.ROWS, CheckBlock.COLUMNS, predicts, launch);
    if (p.beta != 0) {
      copyRows(region, columns, old.atLeast(bytesOfOld(p, region)), result, 0, columns);
    }
    PanelForm form = panels.form();
    long first = form.place(p.b, p.b.panel(region.matrix, region.block), 0);
    var left = new DeviceMatrix(memoryOfA(), rowsAbove * p.depth, p.depth);
    var right = new DeviceMatrix(panels.memory(), first, form.below(p.b));
    var product = new DeviceMatrix(result, 0, columns);
    try {
      queue.multiply(() ->
          ofVendor.multiply(region.rows, columns, p.depth, p.alpha, left, right, p.beta, product));
    } catch (DeviceException e) {
      vendor.decline(e);
      return false;
    }
    if (p.verify) {
      probe(ProbePoint.DEVICE_C_MULTIPLIED, result, 0, bytesOfC(p, region));
      long blocks = CheckBlock.down(region.rows) * region.blocks;
      scan(result, 0, blocks, region.blocks, region.rows, columns, evidence.ofC(), launch);
    }
    return true;
  }

  /** Computes a region's C from what was uploaded. */
  void multiply(GemmProblem p, Region region, PanelBuffer panels, long launch) {
    multiply(p, region, panels, false, launch);
  }

  private void multiply(
      GemmProblem p, Region region, PanelBuffer panels, boolean predicts, long launch) {
    long rows = region.rows;
    long columns = PackedBCheck.columns(region, p.b);
    evidence.open(p, region, tile.rows(), tile.groupColumns(), predicts, launch);
    long groupsDown = Math.ceilDiv(rows, tile.groupRows());
    long groupsAcross = Math.ceilDiv(columns, tile.groupColumns());
    PanelForm form = panels.form();
    OfPanels kernels = ofPanels(form);
    DeviceKernel multiply = kernels.multiply;
    if (readsOnce(p, region)) {
      multiply = Objects.requireNonNull(kernels.multiplyOnce);
    }
    multiply
        .open()
        .buffer(memoryOfA())
        .buffer(panels.memory())
        .buffer(old.atLeast(bytesOfOld(p, region)))
        .buffer(c.atLeast(bytesOfC(p, region)))
        .buffer(evidence.memory())
        .number(evidence.ofC())
        .number(form.place(p.b, p.b.panel(region.matrix, region.block), 0))
        .number(form.below(p.b))
        .number(rowsAbove)
        .number(p.depth)
        .number(rows)
        .number(columns)
        .real(p.alpha)
        .real(p.beta);
    if (readsOnce(p, region)) {
      multiply.number(evidence.ofPanels());
    }
    multiply.number(launch);
    if (tile.alongRows()) {
      queue.run(ProbePoint.DEVICE_LAUNCH, multiply, groupsAcross, groupsDown, tile.group());
    } else {
      queue.run(ProbePoint.DEVICE_LAUNCH, multiply, groupsDown, groupsAcross, tile.group());
    }
  }

  /**
   * Whether every word of the panels is read once, by the tiles of one row: then the sums that are
   * to be made of them are made while they are multiplied.
   */
  private boolean readsOnce(GemmProblem p, Region region) {
    return readsOnce && p.verify && region.rows <= tile.rows();
  }

  /** Has the operands summed up, after their last use. */
  private void scanOperands(
      GemmProblem p, Region region, PanelBuffer panels, boolean byVendor, long launch) {
    PackedB b = p.b;
    if (p.depth > 0) {
      if (byVendor || !readsOnce(p, region)) {
        long panel = b.panel(region.matrix, region.block);
        scanPanels(b, panels, panel, PackedBCheck.panels(region, b), 1, launch);
      }
      // Rows that were copied are a matrix of their own.
      long rows = allOfA ? p.rows : region.rows;
      long across = CheckBlock.across(p.depth);
      long down = rowsAbove / rows * CheckBlock.down(rows) + rowsAbove % rows / CheckBlock.ROWS;
      long block = down * across;
      probe(
          ProbePoint.DEVICE_A_LAST_USE, memoryOfA(), 4 * rowsAbove * p.depth, bytesOfA(p, region));
      long blocks = CheckBlock.down(region.rows) * across;
      scan(memoryOfA(), block, blocks, across, rows, p.depth, evidence.ofA(), launch);
    }
    if (p.beta != 0) {
      long columns = PackedBCheck.columns(region, b);
      DeviceObject copyOfOld = old.atLeast(bytesOfOld(p, region));
      probe(ProbePoint.DEVICE_OLD_C_LAST_USE, copyOfOld, 0, bytesOfOld(p, region));
      long across = CheckBlock.across(columns);
      long blocks = CheckBlock.down(region.rows) * across;
      scan(copyOfOld, 0, blocks, across, region.rows, columns, evidence.ofOld(), launch);
    }
  }

  /** Brings C, and the sums, to the host. */
  void download(GemmProblem p, Region region) {
    downloadResult(p, region);
    if (p.verify) {
      evidence.download(queue);
    }
  }

  private void downloadResult(GemmProblem p, Region region) {
    long rows = region.rows;
    long columns = PackedBCheck.columns(region, p.b);
    DeviceObject result = c.atLeast(bytesOfC(p, region));
    long at = p.cRow(region.matrix, region.row) + left(region);
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_C_STORED, result, 0, bytesOfC(p, region));
    }
    queue.downloadRows(result, rows, 4 * columns, p.c, at, p.cStride);
    if (Probe.ON && !p.verify) {
      ResultProbe.reach(ProbePoint.C_STORED, p, region);
      ResultProbe.reach(ProbePoint.C_CHECKED, p, region);
    }
  }

  /**
   * Has panels summed up: {@code count} in each of some matrices.
   *
   * @param panel the first
   */
  private void scanPanels(
      PackedB b, PanelBuffer panels, long panel, long count, long matrices, long launch) {
    if (Probe.ON) {
      probePanels(ProbePoint.DEVICE_B_LAST_USE, b, panels, panel, count);
    }
    PanelForm form = panels.form();
    DeviceKernel scanPanels = ofPanels(form).scan;
    scanPanels
        .open()
        .buffer(panels.memory())
        .buffer(evidence.memory())
        .number(evidence.ofPanels())
        .number(form.place(b, panel, 0))
        .number(count)
        .number(b.panelsPerMatrix() * (form.inRows() ? b.depth() : 1))
        .number(form.below(b))
        .number(b.depth())
        .number(b.kBlocks())
        .number(launch);
    long groups = matrices * count * b.kBlocks();
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanPanels, groups, 1, tile.scanners());
  }

  private void probe(ProbePoint point, DeviceObject words, long offset, long bytes) {
    if (Probe.ON) {
      queue.probe(point, words, offset, bytes);
    }
  }

  /** Has check blocks of a batch of dense matrices summed up. */
  private void scan(
      DeviceObject words,
      long block,
      long blocks,
      long inRow,
      long rows,
      long columns,
      long to,
      long launch) {
    scanMatrix
        .open()
        .buffer(words)
        .buffer(evidence.memory())
        .number(to)
        .number(block)
        .number(inRow)
        .number(rows)
        .number(columns)
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanMatrix, blocks, 1, tile.scanners());
  }

  /**
   * Verifies all panels on the device; how many were damaged.
   *
   * @param mend whether to copy those anew, and check records with the next use of any
   */
  int verifyAll(PackedB b, PanelBuffer buffer, DevicePanels panels, boolean mend, long launch) {
    int count = Math.toIntExact(b.panelCount());
    evidence.openPanels(b, count, launch);
    scanPanels(b, buffer, 0, b.panelsPerMatrix(), b.matrices(), launch);
    evidence.download(queue);
    if (mend) {
      panels.forgetRecords();
    }
    return evidence.verifyAll(b, panels, mend ? queue : null);
  }

  @Override
  public void close() {
    parts.close();
  }
}
