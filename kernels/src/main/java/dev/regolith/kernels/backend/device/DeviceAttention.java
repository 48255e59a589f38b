package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.function.LogSumExp;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * One thread's attention on the device: a region at a time.
 *
 * <p>Everything is computed twice there, the second time by other work-groups, and from the words
 * of the region on; both runs sum up the registers that they store. The host compares these sums
 * with each other and with the words that arrived, the sums of keys, values and the region's words,
 * made after their last use, with seals and sums of its own. That is evidence of the device, of one
 * row in a head of many also of the host, which computes it once more.
 */
final class DeviceAttention implements Parts.Part {
  /** One of so many rows is computed on the host as well; of key heads with more, one. */
  private static final int SAMPLED = 128;

  private final Backend host;
  private final AttentionKernels kernels;
  private final long[] first = new long[Seal.SUMS];
  private final long[] second = new long[Seal.SUMS];
  private final long[] found = new long[Seal.SUMS];
  private final AttentionSample sample = new AttentionSample();
  private Arena arena = Arena.ofShared();
  private MemorySegment arrived = MemorySegment.NULL;
  private MemorySegment arrivedTotals = MemorySegment.NULL;

  DeviceAttention(DeviceContext context, AttentionProgram program, Backend host) {
    this.host = host;
    kernels = new AttentionKernels(context, program);
  }

  DeviceQueue queue() {
    return kernels.queue();
  }

  /** Whether there is anything in a region to be computed. */
  static boolean takes(AttentionProblem p, AttentionRegion region) {
    KeyValuePages[] pages = p.pages;
    long keys = pages == null ? p.keys : pages[(int) region.sequence].length();
    return keys > 0 && p.depth > 0 && p.columns > 0;
  }

  /**
   * Computes a region, stores it, and verifies it if the problem says so.
   *
   * @param launch a number that no other launch has had
   * @param anew whether all keys and values are copied once more
   */
  void run(
      AttentionProblem p,
      AttentionRegion region,
      DeviceCopies copies,
      long launch,
      boolean anew,
      Workspace workspace,
      AttentionSink sink) {
    KeyValuePages[] pages = p.pages;
    if (pages == null) {
      DevicePanels ofKeys = copies.take(p.k);
      DevicePanels ofValues = copies.take(p.v);
      try {
        var keys = DeviceOperand.packed(p, region, true, ofKeys, queue(), anew);
        var values = DeviceOperand.packed(p, region, false, ofValues, queue(), anew);
        run(p, region, keys, values, launch, workspace, sink);
      } finally {
        ofKeys.giveBack();
        ofValues.giveBack();
      }
      return;
    }
    KeyValuePages sequence = pages[(int) region.sequence];
    DevicePages copy = copies.take(sequence);
    try {
      copy.open(sequence, queue(), anew);
      var keys = DeviceOperand.cached(sequence, region, true, copy);
      var values = DeviceOperand.cached(sequence, region, false, copy);
      run(p, region, keys, values, launch, workspace, sink);
    } finally {
      copy.giveBack();
    }
  }

  private void run(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      long launch,
      Workspace workspace,
      AttentionSink sink) {
    long keyMark = keys.repairs().mark();
    long valueMark = ofValues.repairs().mark();
    long blocks = Math.ceilDiv(keys.keys(), AttentionProblem.BLOCK);
    RegionWords words = kernels.words();
    words.gather(p, region, blocks, kernels.tileRows(), host, workspace);
    long firstSeen = words.lowest() / AttentionProblem.BLOCK;
    long endSeen = Math.ceilDiv(words.highest(), AttentionProblem.BLOCK);
    keys.see(firstSeen, endSeen);
    ofValues.see(firstSeen, endSeen);
    kernels.upload();
    long panelsAt = p.verify ? 2L * region.rows() : region.rows();
    long valuesAt = panelsAt + (p.verify ? keys.entries() : 0);
    long wordsAt = valuesAt + (p.verify ? ofValues.entries() : 0);
    kernels.sums().open(wordsAt + (p.verify ? words.chunks() : 0), launch);
    if (Probe.ON) {
      kernels.probeOperands(keys, ofValues);
    }
    if (p.verify) {
      kernels.compute(p, region, keys, ofValues, AttentionRun.repeated(launch, region.rows()));
    }
    kernels.compute(p, region, keys, ofValues, AttentionRun.first(launch));
    if (p.verify) {
      kernels.scan(keys, panelsAt, launch);
      kernels.scan(ofValues, valuesAt, launch);
      kernels.scanWords(wordsAt, launch);
    }
    room(4L * region.rows() * p.columns, AttentionKernels.BYTES_OF_SPAN * region.rows());
    kernels.download(region.rows(), p.columns, arrived, arrivedTotals);
    if (p.verify) {
      kernels.sums().download(kernels.queue());
      verifyPanels(p, region, keys, panelsAt, workspace, sink);
      verifyPanels(p, region, ofValues, valuesAt, workspace, sink);
      if (!words.agree(kernels.sums(), wordsAt)) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      }
    }
    deliver(p, region, workspace, sink);
    if (p.verify) {
      boolean read = keys.repairs().noneSince(keyMark) && ofValues.repairs().noneSince(valueMark);
      if (!read || !isSampleRight(p, region, launch, workspace)) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      }
      sink.madeByDevice();
    }
  }

  /**
   * One row of every key head. Of heads with fewer rows than are sampled, as many are as makes one
   * row of so many.
   */
  private boolean isSampleRight(
      AttentionProblem p, AttentionRegion region, long launch, Workspace workspace) {
    int rows = region.rowsOfKvHead();
    boolean right = true;
    for (int h = 0; h < region.kvHeads && right; h++) {
      long random = AttentionRun.mixed(launch + ((long) h << 40));
      int row = (int) Long.remainderUnsigned(random, Math.max(SAMPLED, rows));
      right = row >= rows || sample.isReproduced(p, region, h * rows + row, host, workspace);
    }
    return right;
  }

  private void room(long bytes, long bytesOfTotals) {
    if (arrived.byteSize() < bytes || arrivedTotals.byteSize() < bytesOfTotals) {
      arrived = MemorySegment.NULL;
      arrivedTotals = MemorySegment.NULL;
      arena.close();
      arena = Arena.ofShared();
      arrived = arena.allocate(bytes, 64);
      arrivedTotals = arena.allocate(bytesOfTotals, 64);
    }
  }

  /** Compares the sums of panels with the host's seals, and mends the device's panels. */
  private void verifyPanels(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand operand,
      long place,
      Workspace workspace,
      AttentionSink sink) {
    int kBlocks = operand.kBlocks();
    region.checks += operand.entries();
    for (int panel = 0; panel < operand.panels(); panel++) {
      for (int kBlock = 0; kBlock < kBlocks; kBlock++) {
        PackedB b = operand.packed(panel);
        long onHost = operand.onHost(panel);
        long entry = place + (long) panel * kBlocks + kBlock;
        if (kernels.sums().isSealed(b, onHost, kBlock, entry)) {
          continue;
        }
        if (host.isIntact(b, onHost, kBlock, found, workspace)) {
          operand.mend(panel, kBlock, kernels.queue());
          sink.suspect(p, region, Component.DEVICE_BUFFER);
        } else {
          sink.suspect(p, region, operand.component()); // traced when all regions are done
        }
      }
    }
  }

  /** Stores what arrived, and compares it with what left the registers in both runs. */
  private void deliver(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    region.stored = 0;
    region.logarithms = 0;
    for (int row = 0; row < region.rows(); row++) {
      long from = 4L * row * p.columns;
      float max = arrivedTotals.get(ValueLayout.JAVA_FLOAT, AttentionKernels.BYTES_OF_SPAN * row);
      float sum =
          arrivedTotals.get(ValueLayout.JAVA_FLOAT, AttentionKernels.BYTES_OF_SPAN * row + 4);
      if (p.verify) {
        region.checks++;
        host.scan(arrived, from, p.columns, found, workspace);
        region.stored += found[0];
        Seal.add(found, 0, Float.floatToRawIntBits(max), p.columns + 1L);
        Seal.add(found, 0, Float.floatToRawIntBits(sum), p.columns + 2L);
        if (!isTwice(row, row + (long) region.rows())) {
          sink.suspect(p, region, Component.DEVICE_BUFFER);
        }
      }
      long query = region.queryOf(row);
      long to = p.result(region.sequence, region.headOf(row), query);
      if (p.outStride == Float.BYTES) {
        MemorySegment.copy(arrived, from, p.out, to, 4L * p.columns);
      } else {
        for (int c = 0; c < p.columns; c++) {
          float x = arrived.get(ValueLayout.JAVA_FLOAT, from + 4L * c);
          p.out.set(ValueLayout.JAVA_FLOAT, to + c * p.outStride, x);
        }
      }
      if (Probe.ON) {
        Probe.reach(ProbePoint.RESULT_DELIVERED, p.out, to, p.columns, 4, p.outStride);
      }
      if (p.lse.address() != 0) {
        float logSum = LogSumExp.of(max, sum);
        long at = p.lseAt(region.sequence, region.headOf(row), query);
        p.lse.set(ValueLayout.JAVA_FLOAT, at, logSum);
        region.logarithms += Integer.toUnsignedLong(Float.floatToRawIntBits(logSum));
        if (Probe.ON) {
          Probe.reach(ProbePoint.LOG_SUM_DELIVERED, p.lse, at, 1, 4, 0);
        }
      }
    }
  }

  /** Whether both runs, and the words that arrived, have the same sums. */
  private boolean isTwice(long one, long other) {
    Arrays.fill(first, 0);
    Arrays.fill(second, 0);
    kernels.sums().addTo(first, one);
    kernels.sums().addTo(second, other);
    return Seal.same(first, 0, second, 0) && Seal.same(first, 0, found, 0);
  }

  @Override
  public void close() {
    kernels.close();
    arena.close();
  }
}
