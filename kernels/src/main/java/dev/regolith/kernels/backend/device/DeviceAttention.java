package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
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
 * row in a region of many also of the host, which computes it once more.
 */
final class DeviceAttention implements Parts.Part {
  /** Rows times spans whose sums are kept at a time. */
  private static final long ROOM = 1 << 13;

  /** One of so many rows is computed on the host as well; of larger regions, one. */
  private static final int SAMPLED = 128;

  // Flags of attend_spans.
  private static final int SLOPES = 1;
  private static final int MASKED = 2;
  private static final int TURNED = 4;

  /** Largest score, sum of weights, and a stamp. */
  private static final long BYTES_OF_SPAN = 3L * Float.BYTES;

  private static final int SPAN_KEYS = AttentionProblem.SPAN * AttentionProblem.BLOCK;

  private final Backend host;
  private final Parts parts = new Parts();
  private final GemmTile tile;
  private final int tiles;
  private final DeviceQueue queue;
  private final DeviceKernel scale;
  private final DeviceKernel attend;
  private final DeviceKernel merge;
  private final DeviceKernel scanPanels;
  private final DeviceKernel scanWords;
  private final RegionWords words;
  private final DeviceBuffer copyOfWords;
  private final DeviceBuffer scaled;
  private final DeviceBuffer values;
  private final DeviceBuffer softmax;
  private final DeviceBuffer out;
  private final DeviceBuffer totals;
  private final DeviceSums sums;
  private final long[] first = new long[Seal.SUMS];
  private final long[] second = new long[Seal.SUMS];
  private final long[] found = new long[Seal.SUMS];
  private final AttentionSample sample = new AttentionSample();
  private Arena arena = Arena.ofShared();
  private MemorySegment arrived = MemorySegment.NULL;
  private MemorySegment arrivedTotals = MemorySegment.NULL;

  DeviceAttention(DeviceContext context, AttentionProgram program, Backend host) {
    this.host = host;
    tile = program.kernels().tile();
    tiles = program.tiles();
    KernelProgram kernels = program.kernels();
    try {
      queue = parts.add(new DeviceQueue(context));
      scale = parts.add(kernels.newKernel("scale_queries"));
      attend = parts.add(kernels.newKernel("attend_spans"));
      merge = parts.add(kernels.newKernel("merge_spans"));
      scanPanels = parts.add(kernels.newKernel("scan_panels"));
      scanWords = parts.add(kernels.newKernel("scan_words"));
      words = parts.add(new RegionWords());
      copyOfWords = parts.add(new DeviceBuffer(context));
      scaled = parts.add(new DeviceBuffer(context));
      values = parts.add(new DeviceBuffer(context));
      softmax = parts.add(new DeviceBuffer(context));
      out = parts.add(new DeviceBuffer(context));
      totals = parts.add(new DeviceBuffer(context));
      sums = parts.add(new DeviceSums(context));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  DeviceQueue queue() {
    return queue;
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
        var keys = DeviceOperand.packed(p, region, true, ofKeys, queue, anew);
        var values = DeviceOperand.packed(p, region, false, ofValues, queue, anew);
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
      copy.open(sequence, queue, anew);
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
    words.gather(p, region, blocks, tile.groupRows(), host, workspace);
    long firstSeen = words.lowest() / AttentionProblem.BLOCK;
    long endSeen = Math.ceilDiv(words.highest(), AttentionProblem.BLOCK);
    keys.see(firstSeen, endSeen);
    ofValues.see(firstSeen, endSeen);
    DeviceObject given = copyOfWords.atLeast(4 * words.count());
    queue.uploadRows(words.words(), 0, 1, 4 * words.count(), 4 * words.count(), given);
    long panelsAt = p.verify ? 2L * region.rows() : region.rows();
    long valuesAt = panelsAt + (p.verify ? keys.entries() : 0);
    long wordsAt = valuesAt + (p.verify ? ofValues.entries() : 0);
    sums.open(wordsAt + (p.verify ? words.chunks() : 0), launch);
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_A_READ, given, 0, 4 * words.count());
      probePanels(ProbePoint.DEVICE_B_READ, keys);
      probePanels(ProbePoint.DEVICE_B_READ, ofValues);
    }
    if (p.verify) {
      compute(p, region, keys, ofValues, Run.repeated(launch, region.rows()));
    }
    compute(p, region, keys, ofValues, Run.first(launch));
    if (p.verify) {
      scan(keys, panelsAt, launch);
      scan(ofValues, valuesAt, launch);
      scan(given, wordsAt, launch);
    }
    download(p, region);
    if (p.verify) {
      sums.download(queue);
      verifyPanels(p, region, keys, panelsAt, workspace, sink);
      verifyPanels(p, region, ofValues, valuesAt, workspace, sink);
      if (!words.agree(sums, wordsAt)) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      }
    }
    deliver(p, region, workspace, sink);
    if (p.verify) {
      boolean read = keys.repairs().noneSince(keyMark) && ofValues.repairs().noneSince(valueMark);
      if (!read || !isSampleRight(p, region, launch, workspace)) {
        sink.suspect(p, region, Component.DEVICE_BUFFER);
      }
    }
  }

  /** Of regions with fewer rows than are sampled, as many are as makes one row of so many. */
  private boolean isSampleRight(
      AttentionProblem p, AttentionRegion region, long launch, Workspace workspace) {
    int row = (int) Long.remainderUnsigned(Run.mixed(launch), Math.max(SAMPLED, region.rows()));
    return row >= region.rows() || sample.isReproduced(p, region, row, host, workspace);
  }

  private void probePanels(ProbePoint point, DeviceOperand operand) {
    long stride = operand.packed(0).panelStride();
    queue.probe(point, operand.buffer(), operand.firstPanel() * stride, operand.panels() * stride);
  }

  /**
   * One of the two runs of a region.
   *
   * @param turned whether its work-groups do what others do in the other run
   * @param place of the rows' sums
   * @param stamp of everything that it makes on its way
   * @param launch of its sums
   * @param command what is lost if one of its kernels does not run
   * @param ofQueries the probe of scaled queries, and {@code ofSpans} of what is merged
   */
  private record Run(
      boolean turned,
      long place,
      long stamp,
      long launch,
      ProbePoint command,
      ProbePoint ofQueries,
      ProbePoint ofSpans) {
    /** Numbers that follow each other end up far apart: what is added to one leads to no other. */
    static long mixed(long number) {
      return (number * 0x9E3779B97F4A7C15L) >>> Integer.SIZE;
    }

    static Run first(long launch) {
      return new Run(
          false,
          0,
          mixed(2 * launch),
          launch,
          ProbePoint.DEVICE_LAUNCH,
          ProbePoint.DEVICE_QUERIES,
          ProbePoint.DEVICE_SPANS);
    }

    static Run repeated(long launch, long place) {
      return new Run(
          true,
          place,
          mixed(2 * launch + 1),
          launch,
          ProbePoint.DEVICE_EVIDENCE,
          ProbePoint.DEVICE_REPEATED,
          ProbePoint.DEVICE_REPEATED);
    }
  }

  /** Computes everything from the words of the region, once. */
  private void compute(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      Run run) {
    long rows = region.rows();
    scaleQueries(p, rows, run);
    long first = words.lowest() / SPAN_KEYS;
    long end = Math.max(first, Math.ceilDiv(words.highest(), SPAN_KEYS));
    long most = Math.max(1, Math.min(end - first, ROOM / rows));
    values.atLeast(4 * most * rows * p.columns);
    softmax.atLeast(BYTES_OF_SPAN * most * rows);
    long span = first;
    do {
      long spans = Math.min(most, end - span);
      if (spans > 0) {
        attendSpans(p, region, keys, ofValues, span, spans, run);
      }
      mergeSpans(p, rows, span, spans, span == first, span + spans == end, run);
      span += most;
    } while (span < end);
  }

  private void scaleQueries(AttentionProblem p, long rows, Run run) {
    long down = Math.ceilDiv(rows, tile.groupRows());
    DeviceObject queries = scaled.atLeast(4 * down * (tile.groupRows() * (long) p.depth + 1));
    scale
        .open()
        .buffer(copyOfWords.atLeast(0))
        .buffer(queries)
        .number(p.depth)
        .number(rows)
        .number(run.stamp)
        .real(p.scale);
    queue.run(run.command, scale, down, 1, tile.scanners());
    if (Probe.ON) {
      queue.probe(run.ofQueries, queries, 0, 4 * rows * p.depth);
    }
  }

  private void attendSpans(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      long first,
      long spans,
      Run run) {
    long rows = region.rows();
    DeviceObject given = copyOfWords.atLeast(0);
    attend
        .open()
        .buffer(scaled.atLeast(0))
        .buffer(keys.buffer())
        .buffer(ofValues.buffer())
        .buffer(given)
        .buffer(given)
        .buffer(values.atLeast(0))
        .buffer(softmax.atLeast(0))
        .number(words.rowsAt())
        .number(words.blocksAt())
        .number(p.depth)
        .number(p.columns)
        .number(rows)
        .number(keys.keys())
        .number(keys.place())
        .number(keys.step())
        .number(ofValues.place())
        .number(ofValues.step())
        .number(ofValues.floatsOfPanel())
        .number(words.lowest())
        .number(words.highest())
        .number(region.queries)
        .number(words.maskAt())
        .number(words.maskOfHead())
        .number(words.maskOfQuery())
        .number(first)
        .real(p.visibility.softcap)
        .number(flags(p, run));
    long parts = Math.ceilDiv(p.columns, (long) tiles * tile.groupColumns());
    long down = Math.ceilDiv(rows, tile.groupRows());
    queue.run(run.command, attend, down, spans * parts, tile.group());
    if (Probe.ON) {
      queue.probe(run.ofSpans, values.atLeast(0), 0, 4 * spans * rows * p.columns);
      queue.probe(run.ofSpans, softmax.atLeast(0), 0, BYTES_OF_SPAN * spans * rows);
    }
  }

  private static int flags(AttentionProblem p, Run run) {
    return (p.visibility.slopes == null ? 0 : SLOPES)
        | (p.visibility.mask == Visibility.Mask.NONE ? 0 : MASKED)
        | (run.turned ? TURNED : 0);
  }

  private void mergeSpans(
      AttentionProblem p,
      long rows,
      long first,
      long spans,
      boolean isFirst,
      boolean isLast,
      Run run) {
    merge
        .open()
        .buffer(values.atLeast(0))
        .buffer(softmax.atLeast(0))
        .buffer(out.atLeast(4 * rows * p.columns))
        .buffer(totals.atLeast(BYTES_OF_SPAN * rows))
        .buffer(sums.memory())
        .number(run.place)
        .number(rows)
        .number(p.columns)
        .number(first)
        .number(spans)
        .number(isFirst ? 1 : 0)
        .number(isLast ? 1 : 0)
        .number(run.stamp)
        .number(run.launch);
    queue.run(run.command, merge, rows, 1, tile.scanners());
  }

  private void scan(DeviceOperand operand, long place, long launch) {
    if (Probe.ON) {
      probePanels(ProbePoint.DEVICE_B_LAST_USE, operand);
    }
    if (operand.entries() == 0) {
      return;
    }
    scanPanels
        .open()
        .buffer(operand.buffer())
        .buffer(sums.memory())
        .number(place)
        .number(operand.firstPanel())
        .number(operand.depth())
        .number(operand.kBlocks())
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanPanels, operand.entries(), 1, tile.scanners());
  }

  private void scan(DeviceObject given, long place, long launch) {
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_A_LAST_USE, given, 0, 4 * words.count());
    }
    scanWords
        .open()
        .buffer(given)
        .buffer(sums.memory())
        .number(place)
        .number(words.count())
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanWords, words.chunks(), 1, tile.scanners());
  }

  private void download(AttentionProblem p, AttentionRegion region) {
    long bytes = 4L * region.rows() * p.columns;
    long bytesOfTotals = BYTES_OF_SPAN * region.rows();
    room(bytes, bytesOfTotals);
    DeviceObject result = out.atLeast(bytes);
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_C_STORED, result, 0, bytes);
      queue.probe(ProbePoint.DEVICE_C_STORED, totals.atLeast(bytesOfTotals), 0, bytesOfTotals);
    }
    queue.downloadRows(result, 1, bytes, arrived, 0, bytes);
    queue.downloadRows(
        totals.atLeast(bytesOfTotals), 1, bytesOfTotals, arrivedTotals, 0, bytesOfTotals);
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
        if (isSealed(b, onHost, kBlock, entry)) {
          continue;
        }
        if (host.isIntact(b, onHost, kBlock, found, workspace)) {
          operand.mend(panel, kBlock, queue);
          sink.suspect(p, region, Component.DEVICE_BUFFER);
        } else {
          sink.suspect(p, region, operand.component()); // traced when all regions are done
        }
      }
    }
  }

  private boolean isSealed(PackedB b, long panel, int kBlock, long entry) {
    Arrays.fill(first, 0);
    sums.addTo(first, entry);
    int at = b.panelSealAt(panel, kBlock);
    if (Probe.ON) {
      Probe.reach(ProbePoint.PACKED_B_SEAL, b.panelSeals(), at, Seal.SUMS);
    }
    return Seal.same(first, 0, b.panelSeals(), at);
  }

  /** Stores what arrived, and compares it with what left the registers in both runs. */
  private void deliver(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    region.stored = 0;
    region.logarithms = 0;
    for (int row = 0; row < region.rows(); row++) {
      long from = 4L * row * p.columns;
      float max = arrivedTotals.get(ValueLayout.JAVA_FLOAT, BYTES_OF_SPAN * row);
      float sum = arrivedTotals.get(ValueLayout.JAVA_FLOAT, BYTES_OF_SPAN * row + 4);
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
    sums.addTo(first, one);
    sums.addTo(second, other);
    return Seal.same(first, 0, second, 0) && Seal.same(first, 0, found, 0);
  }

  @Override
  public void close() {
    parts.close();
    arena.close();
  }
}
