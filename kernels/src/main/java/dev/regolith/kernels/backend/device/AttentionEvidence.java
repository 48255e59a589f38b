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
import org.jspecify.annotations.Nullable;

/**
 * What one thread's attention is verified with if it is computed once: check vectors of keys and
 * values, the scores that they predict, and what the kernels found of every row, which ends up
 * behind the row's sums (see {@code attention-checks.c}).
 */
final class AttentionEvidence implements Parts.Part {
  /** Of a row in a span, or in all. */
  private static final long CHECK_BYTES = 11L * Float.BYTES;

  private final Parts parts = new Parts();
  private final boolean allowed;
  private final int partColumns;
  private final int scanners;
  private final DeviceKernel checkKeys;
  private final DeviceKernel checkValues;
  private final DeviceKernel predictScores;
  private final DeviceKernel verifyChecks;
  private final CheckVectors ofCall;
  private final DeviceBuffer ofScores;
  private final DeviceBuffer ofSpans;
  private final DeviceBuffer ofRows;
  private final long[] found = new long[Seal.SUMS];
  private CheckVectors.@Nullable Placed checks;
  private double[] nothing = {};
  private double[] differences = {};
  private double[] most = {};

  AttentionEvidence(DeviceContext context, AttentionProgram program) {
    GemmTile tile = program.kernels().tile();
    allowed = context.allows(Experiment.CHECKS);
    partColumns = program.tiles() * tile.groupColumns();
    scanners = tile.scanners();
    KernelProgram kernels = program.kernels();
    try {
      checkKeys = parts.add(kernels.newKernel("check_keys"));
      checkValues = parts.add(kernels.newKernel("check_values"));
      predictScores = parts.add(kernels.newKernel("predict_scores"));
      verifyChecks = parts.add(kernels.newKernel("verify_checks"));
      ofCall = parts.add(new CheckVectors(context));
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
  boolean isFor(AttentionProblem p) {
    Visibility v = p.visibility;
    return allowed && v.softcap == 0 && v.slopes == null && v.mask == Visibility.Mask.NONE;
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

  /**
   * Makes check vectors, and predicts scores.
   *
   * @param pages of the cache that keys and values are in, or null
   */
  void predict(
      AttentionProblem p,
      AttentionRegion region,
      RegionRows queries,
      DeviceOperand keys,
      DeviceOperand values,
      @Nullable DevicePages pages,
      RegionWords words,
      DeviceQueue queue) {
    long seen = words.blocksSeen();
    checks = null;
    if (seen == 0) {
      return;
    }
    var entry = CheckVectors.Entry.of(p.depth, partsOf(p));
    CheckVectors.Placed vectors;
    if (pages == null) {
      vectors = ofCall.room(region.kvHeads * seen, entry, 0, seen);
      makeChecks(p, region, keys, values, words.firstBlock(), seen, vectors, queue);
    } else {
      vectors =
          pages.checks(
              region,
              words,
              entry,
              (block, count, made) ->
                  makeChecks(p, region, keys, values, block, count, made, queue),
              queue);
    }
    checks = vectors;
    if (Probe.ON) {
      for (int head = 0; head < region.kvHeads; head++) {
        long first = vectors.place() + head * vectors.pitch();
        probe(vectors.ofKeys(), first, seen, entry.ofKeys(), queue);
        probe(vectors.ofValues(), first, seen, entry.ofValues(), queue);
      }
    }
    DeviceObject predicted = ofScores.atLeast(8L * region.rows() * seen);
    queries.describe(
        predictScores.open().buffer(queries.buffer()).buffer(vectors.ofKeys()).buffer(predicted),
        region);
    vectors
        .describe(predictScores.number(p.depth).number(region.rowsOfKvHead()).number(seen))
        .real(p.scale);
    queue.run(ProbePoint.DEVICE_EVIDENCE, predictScores, region.rows(), 1, scanners);
    if (Probe.ON) {
      probe(predicted, 0, region.rows(), 8L * seen, queue);
    }
  }

  /** Makes check vectors of so many blocks. */
  private void makeChecks(
      AttentionProblem p,
      AttentionRegion region,
      DeviceOperand keys,
      DeviceOperand values,
      long block,
      long count,
      CheckVectors.Placed made,
      DeviceQueue queue) {
    checkKeys
        .open()
        .buffer(keys.buffer())
        .buffer(made.ofKeys())
        .number(p.depth)
        .number(keys.keys())
        .number(keys.place())
        .number(keys.step())
        .number(keys.floatsOfHead())
        .number(block);
    made.describe(checkKeys);
    queue.run(ProbePoint.DEVICE_EVIDENCE, checkKeys, count, region.kvHeads, scanners);
    checkValues
        .open()
        .buffer(values.buffer())
        .buffer(made.ofValues())
        .number(p.columns)
        .number(keys.keys())
        .number(values.place())
        .number(values.step())
        .number(values.floatsOfHead())
        .number(values.floatsOfPanel())
        .number(block);
    made.describe(checkValues);
    long down = partsOf(p) * region.kvHeads;
    queue.run(ProbePoint.DEVICE_EVIDENCE, checkValues, count, down, scanners);
  }

  /** Shows something that is made of entries to the probe. */
  private static void probe(
      DeviceObject buffer, long first, long entries, long bytes, DeviceQueue queue) {
    queue.probe(ProbePoint.DEVICE_CHECKS, buffer, first * bytes, entries * bytes);
  }

  /** Appends what a kernel reads and leaves beside a span. */
  DeviceKernel describeSpans(DeviceKernel kernel, AttentionRun run) {
    return kernel.buffer(ofScores.atLeast(8)).buffer(checksOf(run).ofValues()).buffer(spans());
  }

  /**
   * Where this call's check vectors are, for a run that is checked; else room that nobody reads.
   */
  CheckVectors.Placed checksOf(AttentionRun run) {
    CheckVectors.Placed predicted = run.checked() ? checks : null;
    return predicted != null ? predicted : ofCall.room(1, CheckVectors.Entry.of(1, 1), 0, 0);
  }

  /** Entries of sums that tell whether a region's check vectors stayed what they were. */
  static long entries(AttentionRegion region, RegionWords words) {
    return region.kvHeads * words.blocksSeen();
  }

  /** Has check vectors summed up, after their last use. */
  void scanChecks(
      AttentionProblem p,
      AttentionRegion region,
      DeviceObject sums,
      long place,
      long seen,
      long launch,
      DeviceQueue queue) {
    CheckVectors.Placed vectors = checks;
    if (vectors == null) {
      return;
    }
    verifyChecks
        .open()
        .buffer(vectors.ofKeys())
        .buffer(vectors.ofValues())
        .buffer(sums)
        .number(place)
        .number(p.depth)
        .number(p.columns)
        .number(seen);
    vectors.describe(verifyChecks).number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, verifyChecks, seen, region.kvHeads, scanners);
  }

  private boolean areChecksIntact(DeviceSums sums, long place, long entries) {
    boolean intact = true;
    for (long entry = 0; entry < entries; entry++) {
      Arrays.fill(found, 0);
      sums.addTo(found, place + entry);
      intact &= (int) found[0] == 0 && found[1] == 0 && found[2] == 0;
    }
    return intact;
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
    probe(spans(), 0, spans * partsOf(p) * rows, CHECK_BYTES, queue);
  }

  /** What checks come to. */
  enum Verdict {
    RIGHT,
    WRONG,
    /** They do not tell: something is not finite, or too large. */
    NOTHING
  }

  /**
   * Hands over what was found of a region's rows, from behind their sums on: the largest difference
   * of each, in tolerances. Words that changed, and rows that saw other keys than they should have,
   * are suspect. Where checks do not tell, nothing is handed over, nor where check vectors changed.
   *
   * @param place of the entries that tell whether they did
   */
  Verdict judge(
      AttentionProblem p,
      AttentionRegion region,
      DeviceSums sums,
      long place,
      long entries,
      AttentionSink sink) {
    if (!areChecksIntact(sums, place, entries)) {
      sink.suspect(p, region, Component.DEVICE_BUFFER);
      return Verdict.WRONG;
    }
    int rows = region.rows();
    if (most.length < rows) {
      nothing = new double[rows];
      differences = new double[rows];
      most = new double[rows];
      Arrays.fill(most, 1);
    }
    double largest = 0;
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
      largest = Math.max(largest, difference);
      if (!Float.isFinite(difference)) {
        return Verdict.NOTHING;
      }
    }
    region.checks += rows;
    if (changed) {
      sink.suspect(p, region, Component.DEVICE_BUFFER);
    }
    sink.evidence(p, region, 0, rows, nothing, differences, most);
    return changed || largest > 1 ? Verdict.WRONG : Verdict.RIGHT;
  }

  @Override
  public void close() {
    parts.close();
  }
}
