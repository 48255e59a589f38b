package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One attention on its way. Holds the buffers that this takes, and is reused from call to call by
 * one thread at a time.
 *
 * <p>Phases, each spread over the team:
 *
 * <ol>
 *   <li><b>prepare</b>: pack keys and values;
 *   <li><b>compute</b>: regions of rows.
 * </ol>
 */
final class AttentionCall implements Team.Tasks, Calls.Call {
  private enum Phase {
    PREPARE,
    COMPUTE
  }

  private static final Range NO_RANGE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final Execution execution;
  private final Backend backend;
  private final Workspace workspace;
  private final boolean verify;
  private final AttentionProblem problem = new AttentionProblem();
  private final GemmProblem opened = new GemmProblem();
  private final PackedB keys;
  private final PackedB values;
  private final HeadView q = new HeadView();
  private final HeadView k = new HeadView();
  private final HeadView v = new HeadView();
  private final ResultView view = new ResultView();
  private final Output output;
  private final Scratch lse = new Scratch();
  private final AttentionRegion[] regions;
  private final long[] found = new long[Seal.SUMS];
  private Range[] keyRanges = {};
  private Range[] valueRanges = {};
  private Phase phase = Phase.PREPARE;
  private boolean together;

  // How rows are cut into regions.
  private long keyTasks;
  private int headsPerRegion;
  private int regionsPerHead;
  private int rowsPerRegion;

  AttentionCall(Execution execution) {
    this.execution = execution;
    backend = execution.backend();
    workspace = backend.newWorkspace();
    verify = execution.protection() != Protection.OFF;
    keys = new PackedB(backend.panelColumns());
    values = new PackedB(backend.panelColumns());
    output = new Output(backend, execution.scrubber(), verify);
    regions = new AttentionRegion[execution.team().threads()];
    Arrays.setAll(regions, i -> new AttentionRegion());
  }

  /** Computes; arguments were checked. */
  Status run(Tensor q, Tensor k, Tensor v, Tensor out, AttentionOptions o) {
    if (out.elements() == 0 && o.logSumExp() == null) {
      return Status.CLEAN;
    }
    Range words = view.of(out, o.queryHeads());
    if (words != null) {
      return run(q, k, v, out, words, o, 0);
    }
    // A result that does not fold into matrices does so for each sequence.
    Status worst = Status.CLEAN;
    for (long s = 0; s < out.size(0); s++) {
      Tensor part = out.slice(0, s, s + 1);
      Range folded = view.of(part, o.queryHeads());
      if (folded == null) {
        throw new IllegalArgumentException("the result has strides that do not nest: " + out);
      }
      Status status =
          run(
              q.slice(0, s, s + 1),
              k.slice(0, s, s + 1),
              v.slice(0, s, s + 1),
              part,
              folded,
              o,
              (int) s);
      worst = status.compareTo(worst) > 0 ? status : worst;
    }
    return worst;
  }

  private Status run(
      Tensor qTensor,
      Tensor kTensor,
      Tensor vTensor,
      Tensor out,
      Range words,
      AttentionOptions o,
      int firstSequence) {
    q.set(qTensor, o.queryHeads());
    k.set(kTensor, o.kvHeads());
    v.set(vTensor, o.kvHeads());
    describe(o, firstSequence);
    together =
        reachable(qTensor)
            && reachable(kTensor)
            && reachable(vTensor)
            && reachable(out)
            && (o.mask() == null || reachable(o.mask()));
    if (!together) {
      Announcement.confined();
    }
    boolean computed = false;
    try {
      output.open(out.storage(), words, false, opened);
      view.place(opened, problem, output.isCopied());
      compute();
      computed = true;
      deliverLse(o.logSumExp(), firstSequence);
      return Status.CLEAN;
    } finally {
      opened.rows = words.rows();
      output.close(opened, computed, computed, found, workspace);
      forget();
    }
  }

  private boolean reachable(Tensor tensor) {
    return execution.team().canReach(tensor.storage().segment());
  }

  private void describe(AttentionOptions o, int firstSequence) {
    AttentionProblem p = problem;
    p.batch = q.batch;
    p.heads = q.heads;
    p.kvHeads = k.heads;
    p.queries = q.rows;
    p.keys = k.rows;
    p.depth = q.columns;
    p.columns = v.columns;
    p.scale = o.scaleOf(p.depth);
    p.verify = verify;
    p.q = q.memory;
    p.qOffset = 4 * q.offset;
    p.qBatchStride = 4 * q.batchStride;
    p.qHeadStride = 4 * q.headStride;
    p.qRowStride = 4 * q.rowStride;
    p.qStride = 4 * q.columnStride;
    long matrices = p.batch * p.kvHeads;
    keys.reshape(matrices, p.depth, p.keys);
    values.reshape(matrices, p.keys, p.columns);
    p.k = keys;
    p.v = values;
    long blocks = matrices * p.blocks();
    if (p.finite.length < blocks) {
      p.finite = new boolean[Math.toIntExact(blocks)];
    }
    p.lse =
        o.logSumExp() == null ? MemorySegment.NULL : lse.atLeast(4 * p.batch * p.heads * p.queries);
    ranges();
    describeVisibility(o, firstSequence);
    cut();
  }

  private void ranges() {
    int sequences = Math.toIntExact(problem.batch);
    if (keyRanges.length < sequences) {
      keyRanges = new Range[sequences];
      valueRanges = new Range[sequences];
      Arrays.fill(keyRanges, NO_RANGE);
      Arrays.fill(valueRanges, NO_RANGE);
    }
    for (int s = 0; s < sequences; s++) {
      keyRanges[s] = k.ofSequence(s, true, keyRanges[s]);
      valueRanges[s] = v.ofSequence(s, false, valueRanges[s]);
    }
  }

  private void describeVisibility(AttentionOptions o, int firstSequence) {
    Visibility vis = problem.visibility;
    int sequences = Math.toIntExact(problem.batch);
    if (vis.origins.length < sequences) {
      vis.origins = new long[sequences];
      vis.keyLengths = new long[sequences];
      vis.queryLengths = new long[sequences];
    }
    long[] keyLengths = o.keyLengths();
    long[] queryLengths = o.queryLengths();
    for (int s = 0; s < sequences; s++) {
      vis.keyLengths[s] = keyLengths == null ? problem.keys : keyLengths[firstSequence + s];
      vis.queryLengths[s] =
          queryLengths == null ? problem.queries : queryLengths[firstSequence + s];
      vis.origins[s] = o.originOf(vis.queryLengths[s], vis.keyLengths[s]);
    }
    vis.left = o.left() < 0 ? Visibility.UNBOUNDED : Math.min(o.left(), Visibility.UNBOUNDED);
    vis.right = o.right() < 0 ? Visibility.UNBOUNDED : Math.min(o.right(), Visibility.UNBOUNDED);
    vis.softcap = o.softcap();
    vis.slopes = o.slopes();
    Tensor mask = o.mask();
    vis.mask =
        mask == null
            ? Visibility.Mask.NONE
            : mask.dtype() == DType.BOOL ? Visibility.Mask.BOOLEAN : Visibility.Mask.ADDITIVE;
    if (mask != null) {
      vis.maskMemory = mask.storage().segment();
      vis.maskBatchStride = maskStride(mask, 4);
      vis.maskOffset = mask.offset() + firstSequence * vis.maskBatchStride;
      vis.maskHeadStride = maskStride(mask, 3);
      vis.maskQueryStride = maskStride(mask, 2);
      vis.maskKeyStride = maskStride(mask, 1);
    }
  }

  /** Stride of the last, last but one, ... dimension of a mask; 0 where it is broadcast. */
  private static long maskStride(Tensor mask, int fromLast) {
    return mask.rank() < fromLast || mask.size(-fromLast) == 1 ? 0 : mask.stride(-fromLast);
  }

  /** Whole heads while they are short, else stretches of one head's queries, of about one size. */
  private void cut() {
    long rows = problem.queries;
    int group = problem.group();
    if (rows <= AttentionRegion.MAX_ROWS / 2 && group > 1) {
      headsPerRegion = Math.clamp(AttentionRegion.MAX_ROWS / Math.max(1, rows), 1, group);
      headsPerRegion = Math.ceilDiv(group, Math.ceilDiv(group, headsPerRegion));
      regionsPerHead = 1;
      rowsPerRegion = (int) rows;
      return;
    }
    headsPerRegion = 1;
    long blocks = CheckBlock.down(rows);
    long perRegion = AttentionRegion.MAX_ROWS / CheckBlock.ROWS;
    regionsPerHead = Math.toIntExact(Math.max(1, Math.ceilDiv(blocks, perRegion)));
    rowsPerRegion = (int) Math.ceilDiv(blocks, regionsPerHead) * CheckBlock.ROWS;
  }

  private void compute() {
    Team team = execution.team();
    AttentionProblem p = problem;
    phase = Phase.PREPARE;
    keyTasks = p.batch * p.kvHeads * keys.blocks();
    long valueTasks = p.keys == 0 ? 0 : p.batch * p.kvHeads * values.kBlocks();
    team.run(keyTasks + valueTasks, this, together);
    phase = Phase.COMPUTE;
    int perGroup = Math.ceilDiv(p.group(), headsPerRegion);
    team.run(p.batch * p.kvHeads * perGroup * regionsPerHead, this, together);
  }

  @Override
  public void perform(long task, int worker) {
    Workspace w = worker == 0 ? workspace : execution.helpers().get(worker - 1);
    switch (phase) {
      case PREPARE -> prepare(task, w);
      case COMPUTE -> compute(task, worker, w);
    }
  }

  private void prepare(long task, Workspace w) {
    AttentionProblem p = problem;
    if (task < keyTasks) {
      long matrix = task / keys.blocks();
      int sequence = (int) (matrix / p.kvHeads);
      backend.pack(k.memory, keyRanges[sequence], matrix, keys, task % keys.blocks(), 0, verify, w);
      return;
    }
    long rest = task - keyTasks;
    long matrix = rest / values.kBlocks();
    int kBlock = (int) (rest % values.kBlocks());
    int sequence = (int) (matrix / p.kvHeads);
    for (long block = 0; block < values.blocks(); block++) {
      backend.pack(v.memory, valueRanges[sequence], matrix, values, block, kBlock, verify, w);
    }
    int steps = values.depthOf(kBlock);
    for (int step = 0; step < steps; step += AttentionProblem.BLOCK) {
      boolean finite = true;
      int floats = Math.min(AttentionProblem.BLOCK, steps - step) * values.panelColumns();
      for (long i = 0; i < values.panelCount() / (p.batch * p.kvHeads); i++) {
        long panel = values.panel(matrix, 0) + i;
        long offset = values.panelOffset(panel, kBlock) + 4L * step * values.panelColumns();
        finite &= backend.isFinite(values.panels(), offset, floats);
      }
      long block = ((long) kBlock * PackedB.DEPTH + step) / AttentionProblem.BLOCK;
      p.finite[p.finiteAt(matrix, block)] = finite;
    }
  }

  private void compute(long task, int worker, Workspace w) {
    AttentionProblem p = problem;
    int perGroup = Math.ceilDiv(p.group(), headsPerRegion);
    // The last regions of causal heads are the longest: they go first.
    int part = regionsPerHead - 1 - (int) (task % regionsPerHead);
    long rest = task / regionsPerHead;
    int inGroup = (int) (rest % perGroup) * headsPerRegion;
    long matrix = rest / perGroup;
    int kvHead = (int) (matrix % p.kvHeads);
    long row = (long) part * rowsPerRegion;
    int rows = (int) Math.min(rowsPerRegion, p.queries - row);
    int heads = Math.min(headsPerRegion, p.group() - inGroup);
    if (rows <= 0) {
      return;
    }
    AttentionRegion region =
        regions[worker].set(
            matrix / p.kvHeads, kvHead, kvHead * p.group() + inGroup, heads, row, rows);
    backend.attend(p, region, w);
  }

  private void deliverLse(@Nullable Tensor target, int firstSequence) {
    if (target == null) {
      return;
    }
    AttentionProblem p = problem;
    MemorySegment memory = target.storage().segment();
    for (long s = 0; s < p.batch; s++) {
      for (long h = 0; h < p.heads; h++) {
        for (long i = 0; i < p.queries; i++) {
          long word =
              target.offset()
                  + (firstSequence + s) * target.stride(0)
                  + h * target.stride(1)
                  + i * target.stride(2);
          memory.setAtIndex(
              ValueLayout.JAVA_FLOAT, word, p.lse.get(ValueLayout.JAVA_FLOAT, p.lseAt(s, h, i)));
        }
      }
    }
  }

  private void forget() {
    q.forget();
    k.forget();
    v.forget();
    problem.q = MemorySegment.NULL;
    problem.out = MemorySegment.NULL;
    opened.c = MemorySegment.NULL;
    problem.visibility.forget();
    output.forget();
  }

  @Override
  public void close() {
    keys.release();
    values.release();
    output.close();
    lse.close();
  }
}
