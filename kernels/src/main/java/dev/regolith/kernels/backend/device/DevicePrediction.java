package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The evidence of one thread's products, as the device makes it: predictions from its copy of A and
 * of the check records of B, and what C shows in its memory. What these were made from is verified
 * by exact sums ({@link DeviceEvidence}); they are compared here.
 */
final class DevicePrediction implements Parts.Part {
  /** Words of a row's check; see {@code evidence.c}. */
  private static final int ENTRY = 10;

  private static final int PREDICTED = 0;
  private static final int SQUARES = 1;
  private static final int MEAN = 2;
  private static final int PREDICTED_BY = 3;
  private static final int SHOWN = 4;
  private static final int SHOWN_BY = 6;
  private static final int OLD_SHOWN = 7;
  private static final int OLD_SQUARES = 8;
  private static final int OLD_SHOWN_BY = 9;

  private final Parts parts = new Parts();
  private final int scanners;
  private final int vectorLanes;
  private final DeviceKernel predict;
  private final DeviceKernel show;
  private final DeviceKernel scanRecords;
  private final DeviceBuffer memory;
  private final Evidence evidence = new Evidence();
  private Arena arena = Arena.ofShared();
  private MemorySegment copy = MemorySegment.NULL;
  private long bytes;
  private long launch;
  private int checks;

  DevicePrediction(DeviceContext context, EvidenceProgram program) {
    vectorLanes = program.vectorLanes();
    scanners = program.kernels().tile().scanners();
    try {
      predict = parts.add(program.kernels().newKernel("predict"));
      show = parts.add(program.kernels().newKernel("show"));
      scanRecords = parts.add(program.kernels().newKernel("scan_records"));
      memory = parts.add(new DeviceBuffer(context));
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Makes room for the evidence of a region. */
  void open(GemmProblem p, Region region, long newLaunch) {
    evidence.open(region.rows, region.blocks, p.b.depth());
    // Sums are double; check vectors are what the host made of B.
    evidence.lanes(0, 1, 0, 1, 0, vectorLanes);
    checks = evidence.checks();
    launch = newLaunch;
    bytes = 8L * ENTRY * region.rows * checks;
    if (copy.byteSize() < bytes) {
      copy = MemorySegment.NULL;
      arena.close();
      arena = Arena.ofShared();
      copy = arena.allocate(bytes, 8);
    }
  }

  /**
   * Has a region predicted.
   *
   * @param above rows of A before the region's
   */
  void predict(
      GemmProblem p,
      Region region,
      DeviceObject a,
      long above,
      DeviceObject records,
      DeviceQueue queue) {
    PackedB b = p.b;
    predict
        .open()
        .buffer(a)
        .buffer(records)
        .buffer(memory.atLeast(bytes))
        .number(above)
        .number(b.recordOffset(region.matrix, region.block, 0) / b.recordBytes())
        .number(b.recordWords())
        .number(b.blocks())
        .number(CheckBlock.span(b.depth()))
        .number(p.depth)
        .number(region.rows)
        .number(PackedBCheck.columns(region, b))
        .number(region.blocks)
        .number(launch);
    long down = Math.ceilDiv(region.rows, EvidenceProgram.ROWS);
    queue.run(ProbePoint.DEVICE_EVIDENCE, predict, down, checks, scanners);
  }

  /**
   * Has C shown.
   *
   * @param first word of the region, and {@code pitch} words to its next row
   */
  void show(
      GemmProblem p, Region region, DeviceObject c, long first, long pitch, DeviceQueue queue) {
    show(p, region, c, first, pitch, SHOWN, queue);
  }

  /** Has the old C shown, of which there is the region and no more. */
  void showOld(GemmProblem p, Region region, DeviceObject old, DeviceQueue queue) {
    show(p, region, old, 0, PackedBCheck.columns(region, p.b), OLD_SHOWN, queue);
  }

  private void show(
      GemmProblem p,
      Region region,
      DeviceObject c,
      long first,
      long pitch,
      int place,
      DeviceQueue queue) {
    show.open()
        .buffer(c)
        .buffer(memory.atLeast(bytes))
        .number(first)
        .number(pitch)
        .number(region.block)
        .number(CheckBlock.span(p.b.depth()))
        .number(PackedBCheck.columns(region, p.b))
        .number(region.blocks)
        .number(place)
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, show, region.rows, checks, scanners);
  }

  /** Has the records that a region's prediction read summed up. */
  void scanRecords(
      GemmProblem p,
      Region region,
      DeviceObject records,
      DeviceObject sums,
      long place,
      long launch,
      DeviceQueue queue) {
    PackedB b = p.b;
    if (Probe.ON) {
      long from = b.recordOffset(region.matrix, region.block, 0);
      queue.probe(ProbePoint.DEVICE_RECORDS_LAST_USE, records, from, bytesOfRecords(p, region));
    }
    scanRecords
        .open()
        .buffer(records)
        .buffer(sums)
        .number(place)
        .number(b.recordOffset(region.matrix, region.block, 0) / b.recordBytes())
        .number(region.blocks)
        .number(b.blocks())
        .number(b.recordWords())
        .number(launch);
    long groups = (long) region.blocks * b.kBlocks();
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanRecords, groups, 1, scanners);
  }

  /** Bytes from the first record that a region reads to behind its last. */
  static long bytesOfRecords(GemmProblem p, Region region) {
    PackedB b = p.b;
    long others = Math.max(0, b.kBlocks() - 1) * b.blocks();
    return b.kBlocks() == 0 ? 0 : (others + region.blocks) * b.recordBytes();
  }

  /** Brings the evidence to the host. */
  void download(DeviceQueue queue) {
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_SUMS, memory.atLeast(bytes), 0, bytes);
    }
    queue.downloadEvidence(memory.atLeast(bytes), bytes, copy);
  }

  /**
   * Hands the evidence over.
   *
   * @param beforeDoubts is called first if some of it does not agree
   */
  void compare(GemmProblem p, Region region, EvidenceSink sink, Runnable beforeDoubts) {
    for (int row = 0; row < region.rows; row++) {
      for (int check = 0; check < checks; check++) {
        fill(p, region, row, check);
      }
    }
    int count = region.rows * checks;
    if (Probe.ON) {
      Probe.reach(ProbePoint.EVIDENCE, evidence.predicted, 0, count);
      Probe.reach(ProbePoint.EVIDENCE, evidence.shown, 0, count);
      Probe.reach(ProbePoint.TOLERANCE, evidence.tolerance, 0, count);
    }
    boolean agree = true;
    for (int at = 0; at < count; at++) {
      agree &= Math.abs(evidence.shown[at] - evidence.predicted[at]) <= evidence.tolerance[at];
    }
    if (!agree) {
      beforeDoubts.run();
    }
    sink.evidence(p, region, region.row, region.rows, evidence, 0);
  }

  private void fill(GemmProblem p, Region region, int row, int check) {
    int at = evidence.at(row, check);
    evidence.predicted[at] = value(at, PREDICTED);
    evidence.squares[at] = value(at, SQUARES);
    evidence.mean[at] = value(at, MEAN);
    int others = evidence.blocksOf(check) - 1;
    long last = region.block + evidence.firstBlock(check) + others;
    int columns = others * CheckBlock.COLUMNS + p.b.columnsOf(last);
    double old = p.beta == 0 ? 0 : value(at, OLD_SHOWN);
    double squares = p.beta == 0 ? 0 : value(at, OLD_SQUARES);
    evidence.close(at, p.alpha, p.beta, p.b.depth(), columns, old, squares);
    boolean fresh =
        word(at, PREDICTED_BY) == launch
            && word(at, SHOWN_BY) == launch
            && (p.beta == 0 || word(at, OLD_SHOWN_BY) == launch);
    // What an earlier launch left shows nothing.
    evidence.shown[at] = fresh ? value(at, SHOWN) : Double.NaN;
  }

  private double value(int at, int place) {
    return Double.longBitsToDouble(word(at, place));
  }

  private long word(int at, int place) {
    return copy.getAtIndex(ValueLayout.JAVA_LONG, (long) at * ENTRY + place);
  }

  @Override
  public void close() {
    parts.close();
    arena.close();
  }
}
