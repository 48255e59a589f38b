package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The kernels of one thread's attention, and what they work on: the words of a region on their way
 * there, spans and totals there, and the result on its way back. Nothing of it is verified here.
 */
final class AttentionKernels implements Parts.Part {
  /** Rows times spans whose sums are kept at a time. */
  private static final long ROOM = 1 << 13;

  // Flags of attend_spans.
  private static final int SLOPES = 1;
  private static final int MASKED = 2;
  private static final int TURNED = 4;
  private static final int CHECKED = 8;
  private static final int KEPT_TWICE = 16;

  /** Largest score, sum of weights, and a stamp. */
  static final long BYTES_OF_SPAN = 3L * Float.BYTES;

  private static final int SPAN_KEYS = AttentionProblem.SPAN * AttentionProblem.BLOCK;

  private final Parts parts = new Parts();
  private final GemmTile tile;
  private final DeviceQueue queue;
  private final DeviceKernel scale;
  private final DeviceKernel attend;
  private final DeviceKernel attendAndCheck;
  private final @Nullable DeviceKernel attendCheckAndScan;
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
  private final AttentionEvidence evidence;
  private long sumsOfKeys;
  private long sumsOfValues;
  private long sumsOfWords;
  private long sumsOfChecks;

  AttentionKernels(DeviceContext context, AttentionProgram program) {
    tile = program.kernels().tile();
    KernelProgram kernels = program.kernels();
    try {
      queue = parts.add(new DeviceQueue(context));
      scale = parts.add(kernels.newKernel("scale_queries"));
      attend = parts.add(kernels.newKernel("attend_spans"));
      attendAndCheck = parts.add(kernels.newKernel("attend_and_check_spans"));
      attendCheckAndScan =
          tile.readsPanels(program.panelColumns())
              ? parts.add(kernels.newKernel("attend_check_and_scan_spans"))
              : null;
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
      evidence = parts.add(new AttentionEvidence(context, program));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  DeviceQueue queue() {
    return queue;
  }

  /** Rows that a work-group computes. */
  int tileRows() {
    return tile.groupRows();
  }

  /** What a region is described with, to be gathered. */
  RegionWords words() {
    return words;
  }

  /**
   * Makes room for the sums of a launch: of rows in both runs, of panels, of a region's words, and,
   * if it is checked, of check vectors.
   */
  void openSums(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      boolean checked,
      long launch) {
    sumsOfKeys = p.verify ? 2L * region.rows() : region.rows();
    sumsOfValues = sumsOfKeys + (p.verify ? keys.entries() : 0);
    sumsOfWords = sumsOfValues + (p.verify ? ofValues.entries() : 0);
    sumsOfChecks = sumsOfWords + (p.verify ? words.chunks() : 0);
    long ofChecks = checked ? AttentionEvidence.entries(region, words) : 0;
    sums.open(sumsOfChecks + ofChecks, launch);
  }

  /** Makes room for the sums of panels alone. */
  void openPanels(DeviceOperand keys, DeviceOperand ofValues, long launch) {
    sumsOfKeys = 0;
    sumsOfValues = keys.entries();
    sums.open(sumsOfValues + ofValues.entries(), launch);
  }

  /** Where those of keys are, a panel's k-blocks one after the other. */
  long sumsOfKeys() {
    return sumsOfKeys;
  }

  /** Where those of values are. */
  long sumsOfValues() {
    return sumsOfValues;
  }

  /** Whether the words of the region are there as they are here. */
  boolean areWordsRight() {
    return words.agree(sums, sumsOfWords);
  }

  /** What the checks of a run come to; see {@link AttentionEvidence#judge}. */
  AttentionEvidence.Verdict judge(AttentionProblem p, AttentionRegion region, AttentionSink sink) {
    long entries = AttentionEvidence.entries(region, words);
    return evidence.judge(p, region, sums, sumsOfChecks, entries, sink);
  }

  /**
   * Whether the words of keys and values that rows see are read once, each by one work-item: it
   * sums them up as well.
   */
  boolean readsOnce(
      AttentionProblem p, AttentionRegion region, DeviceOperand keys, DeviceOperand ofValues) {
    return attendCheckAndScan != null
        && evidence.partsOf(p) == 1
        && region.rowsOfKvHead() <= tile.groupRows()
        && keys.panelsOfBlock() > 0
        && ofValues.panelsOfBlock() > 0;
  }

  /** What the kernels sum up. */
  DeviceSums sums() {
    return sums;
  }

  /** What a run that is not repeated is verified with. */
  AttentionEvidence evidence() {
    return evidence;
  }

  /** Copies the words of a region to the device. */
  void upload() {
    long bytes = 4 * words.count();
    queue.uploadRows(words.words(), 0, 1, bytes, bytes, copyOfWords.atLeast(bytes));
  }

  /** Shows what a region reads to the probe. */
  void probeOperands(DeviceOperand keys, DeviceOperand ofValues) {
    queue.probe(ProbePoint.DEVICE_A_READ, copyOfWords.atLeast(0), 0, 4 * words.count());
    probePanels(ProbePoint.DEVICE_B_READ, keys);
    probePanels(ProbePoint.DEVICE_B_READ, ofValues);
  }

  private void probePanels(ProbePoint point, DeviceOperand operand) {
    long bytes = 4 * operand.floatsOfPanel();
    for (int head = 0; head < operand.heads(); head++) {
      long from = operand.firstPanel(head) * bytes;
      queue.probe(point, operand.buffer(), from, operand.panelsOfHead() * bytes);
    }
  }

  /** Queries that were copied there with the words of the region. */
  RegionRows copiedQueries(AttentionProblem p, AttentionRegion region) {
    return RegionRows.dense(copyOfWords.atLeast(0), region, p.depth);
  }

  /** Room for a result that comes to the host. */
  RegionRows passingResult(AttentionProblem p, AttentionRegion region) {
    return RegionRows.dense(out.atLeast(4L * region.rows() * p.columns), region, p.columns);
  }

  /**
   * Computes everything from queries on, once.
   *
   * @param copy where the result is stored as well, from the same registers, or null
   */
  void compute(
      AttentionProblem p,
      AttentionRegion region,
      RegionRows queries,
      DeviceOperand keys,
      DeviceOperand ofValues,
      RegionRows result,
      @Nullable RegionRows copy,
      AttentionRun run) {
    long rows = region.rows();
    scaleQueries(p, region, queries, run);
    long first = words.lowest() / SPAN_KEYS;
    long end = Math.max(first, Math.ceilDiv(words.highest(), SPAN_KEYS));
    long most = Math.max(1, Math.min(end - first, ROOM / rows));
    values.atLeast(4 * most * rows * p.columns);
    softmax.atLeast(BYTES_OF_SPAN * most * rows);
    evidence.open(p, rows, run.checked() ? most : 0);
    long span = first;
    do {
      long spans = Math.min(most, end - span);
      if (spans > 0) {
        attendSpans(p, region, keys, ofValues, span, spans, run);
      }
      mergeSpans(p, region, result, copy, span, spans, span == first, span + spans == end, run);
      span += most;
    } while (span < end);
  }

  /** Work-groups for the rows of a region: none of them has rows of two key heads. */
  private long down(AttentionRegion region) {
    return (long) region.kvHeads * Math.ceilDiv(region.rowsOfKvHead(), tile.groupRows());
  }

  private void scaleQueries(
      AttentionProblem p, AttentionRegion region, RegionRows queries, AttentionRun run) {
    long down = down(region);
    long floats = down * tile.groupRows() * p.depth;
    DeviceObject ofTiles = scaled.atLeast(4 * (floats + 2 * down));
    queries
        .describe(scale.open().buffer(queries.buffer()).buffer(ofTiles), region)
        .number(p.depth)
        .number(region.rowsOfKvHead())
        .number(down)
        .number(run.stamp())
        .real(p.scale);
    queue.run(run.command(), scale, down, 1, tile.scanners());
    if (Probe.ON) {
      queue.probe(run.ofQueries(), ofTiles, 0, 4 * floats);
    }
  }

  private void attendSpans(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      long first,
      long spans,
      AttentionRun run) {
    long rows = region.rows();
    long down = down(region);
    DeviceObject given = copyOfWords.atLeast(0);
    DeviceKernel kernel = ofSpans(run);
    kernel
        .open()
        .buffer(scaled.atLeast(0))
        .buffer(keys.buffer())
        .buffer(ofValues.buffer())
        .buffer(given)
        .buffer(given)
        .buffer(values.atLeast(0))
        .buffer(softmax.atLeast(0));
    evidence
        .describeSpans(kernel, run)
        .buffer(sums.memory())
        .number(words.rowsAt())
        .number(words.blocksAt())
        .number(p.depth)
        .number(p.columns)
        .number(region.rowsOfKvHead())
        .number(rows)
        .number(down)
        .number(keys.keys())
        .number(Math.ceilDiv(keys.keys(), AttentionProblem.BLOCK))
        .number(keys.place())
        .number(keys.step())
        .number(keys.floatsOfHead())
        .number(ofValues.place())
        .number(ofValues.step())
        .number(ofValues.floatsOfHead())
        .number(ofValues.floatsOfPanel())
        .number(words.lowest())
        .number(words.highest())
        .number(region.queries)
        .number(words.maskAt())
        .number(words.maskOfHead())
        .number(words.maskOfQuery())
        .number(first)
        .number(words.blocksSeen());
    evidence
        .checksOf(run)
        .describe(kernel)
        .number(sumsOfKeys)
        .number(sumsOfValues)
        .number(run.launch())
        .real(p.visibility.softcap)
        .number(flags(p, run));
    queue.run(run.command(), kernel, down, spans * evidence.partsOf(p), tile.group());
    if (Probe.ON) {
      queue.probe(run.ofSpans(), values.atLeast(0), 0, 4 * spans * rows * p.columns);
      queue.probe(run.ofSpans(), softmax.atLeast(0), 0, BYTES_OF_SPAN * spans * rows);
      if (run.checked()) {
        evidence.probe(p, rows, spans, queue);
      }
    }
  }

  private DeviceKernel ofSpans(AttentionRun run) {
    if (run.scans()) {
      return Objects.requireNonNull(attendCheckAndScan);
    }
    return run.checked() ? attendAndCheck : attend;
  }

  private static int flags(AttentionProblem p, AttentionRun run) {
    return (p.visibility.slopes == null ? 0 : SLOPES)
        | (p.visibility.mask == Visibility.Mask.NONE ? 0 : MASKED)
        | (run.turned() ? TURNED : 0)
        | (run.checked() ? CHECKED : 0);
  }

  private void mergeSpans(
      AttentionProblem p,
      AttentionRegion region,
      RegionRows result,
      @Nullable RegionRows copy,
      long first,
      long spans,
      boolean isFirst,
      boolean isLast,
      AttentionRun run) {
    long rows = region.rows();
    merge
        .open()
        .buffer(values.atLeast(0))
        .buffer(softmax.atLeast(0))
        .buffer(evidence.spans())
        .buffer(result.buffer())
        .buffer(copy == null ? result.buffer() : copy.buffer())
        .buffer(totals.atLeast(BYTES_OF_SPAN * rows))
        .buffer(evidence.rows())
        .buffer(sums.memory());
    result.describe(merge, region);
    (copy == null ? result : copy)
        .describe(merge, region)
        .number(run.place())
        .number(rows)
        .number(p.columns)
        .number(first)
        .number(spans)
        .number(isFirst ? 1 : 0)
        .number(isLast ? 1 : 0)
        .number(run.stamp())
        .number(run.launch())
        .number(flags(p, run) | (copy == null ? 0 : KEPT_TWICE));
    queue.run(run.command(), merge, rows, 1, tile.scanners());
  }

  /** Has everything that a run read summed up, after its last use, unless the run did. */
  void scan(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand ofValues,
      AttentionRun run) {
    if (!run.scans()) {
      scanPanels(keys, ofValues, run.launch());
    }
    scanWords(run.launch());
    if (run.checked()) {
      long seen = words.blocksSeen();
      evidence.scanChecks(p, region, sums.memory(), sumsOfChecks, seen, run.launch(), queue);
    }
  }

  /** Has the panels of keys and values that rows see summed up, after their last use. */
  void scanPanels(DeviceOperand keys, DeviceOperand ofValues, long launch) {
    scan(keys, sumsOfKeys, launch);
    scan(ofValues, sumsOfValues, launch);
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
        .number(operand.firstPanel(0) * operand.depth() * operand.panelColumns())
        .number(operand.panelsOfHead())
        .number(operand.panelsBetweenHeads())
        .number(0)
        .number(operand.depth())
        .number(operand.kBlocks())
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanPanels, operand.entries(), 1, tile.scanners());
  }

  private void scanWords(long launch) {
    DeviceObject given = copyOfWords.atLeast(0);
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_A_LAST_USE, given, 0, 4 * words.count());
    }
    scanWords
        .open()
        .buffer(given)
        .buffer(sums.memory())
        .number(sumsOfWords)
        .number(words.count())
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, scanWords, words.chunks(), 1, tile.scanners());
  }

  /** Brings the result, and what is known of its rows, to the host. */
  void download(long rows, int columns, MemorySegment result, MemorySegment ofRows) {
    long bytes = 4 * rows * columns;
    long bytesOfRows = BYTES_OF_SPAN * rows;
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_C_STORED, out.atLeast(0), 0, bytes);
      queue.probe(ProbePoint.DEVICE_C_STORED, totals.atLeast(0), 0, bytesOfRows);
    }
    queue.downloadRows(out.atLeast(0), 1, bytes, result, 0, bytes);
    queue.downloadRows(totals.atLeast(0), 1, bytesOfRows, ofRows, 0, bytesOfRows);
  }

  @Override
  public void close() {
    parts.close();
  }
}
