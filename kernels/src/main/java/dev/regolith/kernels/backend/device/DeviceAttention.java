package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.backend.device.AttentionEvidence.Verdict;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.function.LogSumExp;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One thread's attention on the device: a region at a time.
 *
 * <p>Where scores reach the softmax as they are, every step is held against what its inputs predict
 * ({@link AttentionEvidence}). Otherwise, and where that says nothing, everything is computed twice
 * there, the second time by other work-groups, and from the words of the region on. A run sums up
 * the registers that it stores; the host compares these sums with the words that arrived, and with
 * each other; the sums of keys, values and the region's words, made at or after their last use,
 * with seals and sums of its own. That is evidence of the device, of a row in many also of the
 * host, which computes it once more.
 *
 * <p>Queries that a tensor has there are read where they are, and the result stays, in two places:
 * what lies there is summed up at the end of the call, as the queries are ({@link ResidentScan}).
 */
final class DeviceAttention implements DeviceWorkspace.Queued {
  /** One of so many rows is computed on the host as well; of key heads with more, one. */
  private static final int SAMPLED = 128;

  /** Panels that may differ while the kernel that summed them up is believed. */
  private static final int FEW = 4;

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

  @Override
  public DeviceQueue queue() {
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
      DevicePanels ofKeys = copies.takeAsTheyAre(p.k);
      DevicePanels ofValues = copies.takeAsTheyAre(p.v);
      try {
        var keys = DeviceOperand.packed(p, region, true, ofKeys, queue(), anew);
        var values = DeviceOperand.packed(p, region, false, ofValues, queue(), anew);
        run(p, region, keys, values, null, launch, workspace, sink);
      } catch (RuntimeException | Error e) {
        queue().settle(); // it reads what is given back
        throw e;
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
      run(p, region, keys, values, copy, launch, workspace, sink);
    } catch (RuntimeException | Error e) {
      queue().settle(); // it reads what is given back
      throw e;
    } finally {
      copy.giveBack();
    }
  }

  private void run(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      @Nullable DevicePages pages,
      long launch,
      Workspace workspace,
      AttentionSink sink) {
    long keyMark = keys.repairs().mark();
    long valueMark = ofValues.repairs().mark();
    long blocks = Math.ceilDiv(keys.keys(), AttentionProblem.BLOCK);
    RegionWords words = kernels.words();
    words.gather(p, region, blocks, kernels.tileRows(), host, workspace);
    long endSeen = words.firstBlock() + words.blocksSeen();
    keys.see(words.firstBlock(), endSeen);
    ofValues.see(words.firstBlock(), endSeen);
    kernels.upload();
    boolean checked = p.verify && kernels.evidence().isFor(p);
    kernels.openSums(p, region, keys, ofValues, checked, launch);
    if (Probe.ON) {
      kernels.probeOperands(keys, ofValues);
    }
    ResidentWords there = ResidentWords.of(p);
    RegionRows queries =
        there == null ? kernels.copiedQueries(p, region) : there.queries(p, region);
    RegionRows result = there == null ? kernels.passingResult(p, region) : there.result(p, region);
    if (Probe.ON && there != null) {
      queries.probe(queue(), ProbePoint.DEVICE_A_READ, region, p.depth);
    }
    RegionRows copy = there != null && p.verify ? there.repeated(p, region) : null;
    RegionRows again = copy == null ? result : copy;
    if (checked) {
      kernels.evidence().predict(p, region, queries, keys, ofValues, pages, words, queue());
    } else if (p.verify) {
      var repeated = AttentionRun.repeated(launch, region.rows());
      kernels.compute(p, region, queries, keys, ofValues, again, null, repeated);
    }
    boolean scans = checked && kernels.readsOnce(p, region, keys, ofValues);
    var run = AttentionRun.first(launch, checked, scans);
    kernels.compute(p, region, queries, keys, ofValues, result, checked ? copy : null, run);
    if (Probe.ON && copy != null) {
      copy.probe(queue(), ProbePoint.DEVICE_REPEATED, region, p.columns);
    }
    if (Probe.ON && there != null) {
      result.probe(queue(), ProbePoint.DEVICE_C_KEPT, region, p.columns);
    }
    if (p.verify) {
      kernels.scan(p, region, keys, ofValues, run);
    }
    if (there == null) {
      room(4L * region.rows() * p.columns, AttentionKernels.BYTES_OF_SPAN * region.rows());
      kernels.download(region.rows(), p.columns, arrived, arrivedTotals);
    }
    if (p.verify) {
      kernels.sums().download(kernels.queue());
      region.checks += keys.entries() + ofValues.entries();
      long different =
          different(keys, kernels.sumsOfKeys()) + different(ofValues, kernels.sumsOfValues());
      if (scans && different > FEW) { // the kernel that made the sums is in doubt, not the panels
        sink.suspect(p, region, Component.DEVICE_BUFFER);
        kernels.scanPanels(keys, ofValues, launch);
        kernels.sums().download(kernels.queue());
      }
      if (different > 0) {
        mendPanels(p, region, keys, kernels.sumsOfKeys(), workspace, sink);
        mendPanels(p, region, ofValues, kernels.sumsOfValues(), workspace, sink);
      }
      if (!kernels.areWordsRight()) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      }
    }
    if (there == null) {
      deliver(p, region, !checked, workspace, sink);
    } else if (p.verify && !checked) {
      compareRuns(p, region, sink);
    } else if (!p.verify) {
      queue().finish();
    }
    Verdict verdict = checked ? kernels.judge(p, region, sink) : Verdict.NOTHING;
    boolean conclusive = verdict != Verdict.NOTHING;
    if (pages != null && checked && verdict != Verdict.RIGHT) {
      pages.forgetChecks(region);
    }
    if (checked && !conclusive) {
      var repeated = AttentionRun.repeated(launch, region.rows());
      kernels.compute(p, region, queries, keys, ofValues, again, null, repeated);
      kernels.sums().download(kernels.queue());
      compareRuns(p, region, sink);
    }
    if (p.verify) {
      boolean read = keys.repairs().noneSince(keyMark) && ofValues.repairs().noneSince(valueMark);
      if (!read || !areSamplesRight(p, region, queries, result, conclusive, launch, workspace)) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      }
      sink.madeByDevice();
    }
  }

  /**
   * One row of every key head, if sums do not speak for each row, else of one. Of heads with fewer
   * rows than are sampled, as many are as makes one row of so many.
   */
  private boolean areSamplesRight(
      AttentionProblem p,
      AttentionRegion region,
      RegionRows queries,
      RegionRows result,
      boolean checked,
      long launch,
      Workspace workspace) {
    int rows = region.rowsOfKvHead();
    boolean right = true;
    long other = AttentionRun.mixed(AttentionRun.mixed(launch) * 0x2545F4914F6CDD1DL);
    int one = (int) Long.remainderUnsigned(other, region.kvHeads);
    int end = checked ? one + 1 : region.kvHeads;
    for (int h = checked ? one : 0; h < end && right; h++) {
      long random = AttentionRun.mixed(launch + ((long) h << 40));
      int row = (int) Long.remainderUnsigned(random, Math.max(SAMPLED, rows));
      right = row >= rows || isReproduced(p, region, queries, result, h * rows + row, workspace);
    }
    return right;
  }

  private boolean isReproduced(
      AttentionProblem p,
      AttentionRegion region,
      RegionRows queries,
      RegionRows result,
      int row,
      Workspace workspace) {
    if (p.resident == null) {
      return sample.isReproduced(p, region, row, host, workspace);
    }
    MemorySegment query = sample.query();
    MemorySegment stored = sample.stored();
    queue().downloadWords(queries.buffer(), queries.of(region, row), p.depth, query);
    queue().downloadWords(result.buffer(), result.of(region, row), p.columns, stored);
    return sample.isReproducedThere(p, region, row, host, workspace);
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

  /**
   * Verifies the copy of a sequence; how many panels were damaged.
   *
   * @param mend whether to copy those anew, and to make check vectors with the next use of any
   */
  int verifyAll(KeyValuePages sequence, DevicePages copy, boolean mend, long launch) {
    copy.open(sequence, queue(), false);
    var all = new AttentionRegion();
    all.kvHeads = sequence.heads();
    var keys = DeviceOperand.cached(sequence, all, true, copy);
    var values = DeviceOperand.cached(sequence, all, false, copy);
    keys.see(0, sequence.pages());
    values.see(0, sequence.pages());
    kernels.openPanels(keys, values, launch);
    kernels.scanPanels(keys, values, launch);
    kernels.sums().download(queue());
    int damaged =
        verifyAll(keys, kernels.sumsOfKeys(), mend)
            + verifyAll(values, kernels.sumsOfValues(), mend);
    if (mend) {
      copy.forgetChecks(all);
    }
    return damaged;
  }

  private int verifyAll(DeviceOperand operand, long place, boolean mend) {
    int damaged = 0;
    for (int entry = 0; entry < operand.entries(); entry++) {
      if (isSealed(operand, entry, place)) {
        continue;
      }
      damaged++;
      if (mend) {
        operand.mend(entry / operand.kBlocks(), entry % operand.kBlocks(), queue());
      }
    }
    return damaged;
  }

  /** Panels' k-blocks whose sums are not those of the host's seals. */
  private long different(DeviceOperand operand, long place) {
    long different = 0;
    for (int entry = 0; entry < operand.entries(); entry++) {
      different += isSealed(operand, entry, place) ? 0 : 1;
    }
    return different;
  }

  private boolean isSealed(DeviceOperand operand, int entry, long place) {
    int panel = entry / operand.kBlocks();
    int kBlock = entry % operand.kBlocks();
    PackedB b = operand.packed(panel);
    return kernels.sums().isSealed(b, operand.onHost(panel), kBlock, place + entry);
  }

  /** Mends the device's panels, where the host's are not what is damaged. */
  private void mendPanels(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand operand,
      long place,
      Workspace workspace,
      AttentionSink sink) {
    for (int entry = 0; entry < operand.entries(); entry++) {
      if (isSealed(operand, entry, place)) {
        continue;
      }
      int panel = entry / operand.kBlocks();
      int kBlock = entry % operand.kBlocks();
      PackedB b = operand.packed(panel);
      if (host.isIntact(b, operand.onHost(panel), kBlock, found, workspace)) {
        operand.mend(panel, kBlock, kernels.queue());
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      } else {
        sink.suspect(p, region, operand.component()); // traced when all regions are done
      }
    }
  }

  /** Stores what arrived, and compares it with what left the registers, in both runs of two. */
  private void deliver(
      AttentionProblem p,
      AttentionRegion region,
      boolean twice,
      Workspace workspace,
      AttentionSink sink) {
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
        takeFirst(row);
        if ((twice && !isTwice(region, row)) || !Seal.same(first, 0, found, 0)) {
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

  /** Compares what left the registers in both runs; the words themselves stay there. */
  private void compareRuns(AttentionProblem p, AttentionRegion region, AttentionSink sink) {
    region.checks += region.rows();
    for (int row = 0; row < region.rows(); row++) {
      if (!isTwice(region, row)) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
        return;
      }
    }
  }

  private void takeFirst(int row) {
    Arrays.fill(first, 0);
    kernels.sums().addTo(first, row);
  }

  /** Whether both runs have the same sums of a row. */
  private boolean isTwice(AttentionRegion region, int row) {
    takeFirst(row);
    Arrays.fill(second, 0);
    kernels.sums().addTo(second, (long) region.rows() + row);
    return Seal.same(first, 0, second, 0);
  }

  @Override
  public void close() {
    kernels.close();
    arena.close();
  }
}
