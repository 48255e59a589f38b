package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.Arrays;

/**
 * What one thread's attention is verified with if it is computed once: check vectors of keys and
 * values, the scores that they predict, and what the kernels found of every row, which ends up
 * behind the row's sums (see {@code attention-checks.c}).
 */
final class AttentionEvidence implements Parts.Part {
  private static final int BLOCK = AttentionProblem.BLOCK;

  /** Of values: a sum for each key, and two bounds for either half. */
  private static final int VALUE_ENTRY = BLOCK + 4;

  /** Of a row in a span, or in all. */
  private static final long CHECK_BYTES = 11L * Float.BYTES;

  private final Parts parts = new Parts();
  private final int partColumns;
  private final int scanners;
  private final DeviceKernel checkKeys;
  private final DeviceKernel checkValues;
  private final DeviceKernel predictScores;
  private final DeviceBuffer ofKeys;
  private final DeviceBuffer ofValues;
  private final DeviceBuffer ofScores;
  private final DeviceBuffer ofSpans;
  private final DeviceBuffer ofRows;
  private final long[] found = new long[Seal.SUMS];
  private double[] nothing = {};
  private double[] differences = {};
  private double[] most = {};

  AttentionEvidence(DeviceContext context, AttentionProgram program) {
    GemmTile tile = program.kernels().tile();
    partColumns = program.tiles() * tile.groupColumns();
    scanners = tile.scanners();
    KernelProgram kernels = program.kernels();
    try {
      checkKeys = parts.add(kernels.newKernel("check_keys"));
      checkValues = parts.add(kernels.newKernel("check_values"));
      predictScores = parts.add(kernels.newKernel("predict_scores"));
      ofKeys = parts.add(new DeviceBuffer(context));
      ofValues = parts.add(new DeviceBuffer(context));
      ofScores = parts.add(new DeviceBuffer(context));
      ofSpans = parts.add(new DeviceBuffer(context));
      ofRows = parts.add(new DeviceBuffer(context));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  /** What the compiler is told of signs and tolerances. */
  static String options() {
    double spread = Tolerance.SIGMAS * Math.sqrt(Tolerance.ROUNDING_VARIANCE);
    String real = Float.toHexString(Math.nextUp((float) spread));
    String underflow = Float.toHexString((float) (2 * Tolerance.UNDERFLOW));
    return KernelProgram.signs(1) + " -DSPREAD=%sf -DUNDERFLOW=%sf".formatted(real, underflow);
  }

  /** Whether a region is verified by sums: scores reach the softmax as they are, or not at all. */
  static boolean isFor(AttentionProblem p) {
    Visibility v = p.visibility;
    return v.softcap == 0 && v.slopes == null && v.mask == Visibility.Mask.NONE;
  }

  /** Parts of the columns of values, of which a work-group computes one. */
  long partsOf(AttentionProblem p) {
    return Math.ceilDiv((long) p.columns, partColumns);
  }

  /** Makes room for what is found of so many spans. */
  void open(AttentionProblem p, long rows, long spans) {
    ofSpans.atLeast(CHECK_BYTES * spans * partsOf(p) * rows);
    ofRows.atLeast(CHECK_BYTES * partsOf(p) * rows);
  }

  /** Makes check vectors, and predicts scores. */
  void predict(
      AttentionProblem p,
      AttentionRegion region,
      RegionRows queries,
      DeviceOperand keys,
      DeviceOperand values,
      RegionWords words,
      DeviceQueue queue) {
    long seen = words.blocksSeen();
    if (seen == 0) {
      return;
    }
    DeviceObject keyChecks = ofKeys.atLeast(4L * region.kvHeads * seen * (p.depth + 1));
    checkKeys
        .open()
        .buffer(keys.buffer())
        .buffer(keyChecks)
        .number(p.depth)
        .number(keys.keys())
        .number(keys.place())
        .number(keys.step())
        .number(keys.floatsOfHead())
        .number(words.firstBlock())
        .number(seen);
    queue.run(ProbePoint.DEVICE_EVIDENCE, checkKeys, seen, region.kvHeads, scanners);
    long ofHead = partsOf(p);
    DeviceObject valueChecks = ofValues.atLeast(4L * region.kvHeads * seen * ofHead * VALUE_ENTRY);
    checkValues
        .open()
        .buffer(values.buffer())
        .buffer(valueChecks)
        .number(p.columns)
        .number(keys.keys())
        .number(values.place())
        .number(values.step())
        .number(values.floatsOfHead())
        .number(values.floatsOfPanel())
        .number(words.firstBlock())
        .number(seen);
    queue.run(ProbePoint.DEVICE_EVIDENCE, checkValues, seen, ofHead * region.kvHeads, scanners);
    if (Probe.ON) {
      long bytes = 4L * region.kvHeads * seen;
      queue.probe(ProbePoint.DEVICE_CHECKS, keyChecks, 0, bytes * (p.depth + 1));
      queue.probe(ProbePoint.DEVICE_CHECKS, valueChecks, 0, bytes * ofHead * VALUE_ENTRY);
    }
    DeviceObject predicted = ofScores.atLeast(8L * region.rows() * seen);
    queries
        .describe(
            predictScores.open().buffer(queries.buffer()).buffer(keyChecks).buffer(predicted),
            region)
        .number(p.depth)
        .number(region.rowsOfKvHead())
        .number(seen)
        .real(p.scale);
    queue.run(ProbePoint.DEVICE_EVIDENCE, predictScores, region.rows(), 1, scanners);
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_CHECKS, predicted, 0, 8L * region.rows() * seen);
    }
  }

  /** Appends what a kernel reads and leaves beside a span. */
  DeviceKernel describeSpans(DeviceKernel kernel) {
    return kernel.buffer(ofScores.atLeast(8)).buffer(ofValues.atLeast(8)).buffer(spans());
  }

  /** What was found of spans. */
  DeviceObject spans() {
    return ofSpans.atLeast(CHECK_BYTES);
  }

  /** What was found of rows so far. */
  DeviceObject rows() {
    return ofRows.atLeast(CHECK_BYTES);
  }

  /** Shows what was found of spans to the probe. */
  void probe(AttentionProblem p, long rows, long spans, DeviceQueue queue) {
    queue.probe(ProbePoint.DEVICE_CHECKS, spans(), 0, CHECK_BYTES * spans * partsOf(p) * rows);
  }

  /**
   * Hands over what was found of a region's rows, from behind their sums on: the largest difference
   * of each, in tolerances. Words that changed, and rows that saw other keys than they should have,
   * are suspect.
   *
   * @return whether that says anything; if not, nothing is handed over
   */
  boolean isConclusive(
      AttentionProblem p, AttentionRegion region, DeviceSums sums, AttentionSink sink) {
    int rows = region.rows();
    if (most.length < rows) {
      nothing = new double[rows];
      differences = new double[rows];
      most = new double[rows];
      Arrays.fill(most, 1);
    }
    boolean changed = false;
    for (int row = 0; row < rows; row++) {
      Arrays.fill(found, 0);
      sums.addTo(found, (long) rows + row);
      float difference = Float.intBitsToFloat((int) found[1]);
      long query = region.queryOf(row);
      long from = p.visibility.from(region.sequence, query);
      long keys = Math.max(0, p.visibility.to(region.sequence, query) - from);
      changed |= found[0] != 0 || found[1] >>> Integer.SIZE != 0 || found[2] != keys;
      changed |= difference < 0;
      differences[row] = difference;
      if (Float.isInfinite(difference) || Float.isNaN(difference)) {
        return false;
      }
    }
    region.checks += rows;
    if (changed) {
      sink.suspect(p, region, Component.DEVICE_BUFFER);
    }
    sink.evidence(p, region, 0, rows, nothing, differences, most);
    return true;
  }

  @Override
  public void close() {
    parts.close();
  }
}
