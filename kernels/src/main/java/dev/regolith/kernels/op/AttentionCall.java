package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.guard.AttentionGuard;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One attention on its way. Holds the buffers that this takes, and is reused from call to call by
 * one thread at a time.
 *
 * <p>Phases, each spread over the team:
 *
 * <ol>
 *   <li><b>prepare</b>: pack keys and values;
 *   <li><b>compute</b>: regions of rows, with evidence; a region seals its rows of the result where
 *       seals are cut as regions are;
 *   <li><b>verify</b>: the seals of packed keys and values and of their check vectors, and of
 *       sealed operands, after their last use; if any differs, it is put back, and all is done
 *       again;
 *   <li><b>settle</b> what is still in doubt, on the calling thread;
 *   <li><b>seal</b> the result, if that was not done or anything was computed again, and compare
 *       the words with those that left the registers.
 * </ol>
 *
 * <p>If an accelerator has the queries, all of that is tried there first, without the last two.
 */
final class AttentionCall implements Team.Tasks, Calls.Call {
  private enum Phase {
    PREPARE,
    COMPUTE,
    VERIFY,
    SEAL
  }

  static final String OPERATOR = "attention";
  private static final int ATTEMPTS = 3;
  private static final int ATTEMPTS_THERE = 2;
  private static final int DISTURBANCES = 100;
  private static final Range NOWHERE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final Execution execution;
  private final Backend backend;
  private final Workspace workspace;
  private final boolean verify;
  private final AttentionProblem problem = new AttentionProblem();
  private final GemmProblem opened = new GemmProblem();
  private final HeadView q = new HeadView();
  private final HeadView k = new HeadView();
  private final HeadView v = new HeadView();
  private final ResultView view = new ResultView();
  private final ResultView queryView = new ResultView();
  private final CallSource querySource = new CallSource();
  private final MaskSource maskSource = new MaskSource();
  private final AttentionResidence residence;
  private final Output output;
  private boolean outputOpened;
  private @Nullable Tensor target;
  private Range words = NOWHERE;
  private final LogSums logSums = new LogSums();
  private final AttentionRegions cuts = new AttentionRegions(problem);
  private final AttentionRegion[] regions;
  private final long[][] found;
  private final AttentionGuard guard;
  private final KeysAndValues operands;

  /** Per region: the sum of what was stored. */
  private long[] stored = {};

  private final AttentionGuard.Settled settled = this::keepSums;
  private Phase phase = Phase.PREPARE;
  private boolean together;
  private boolean computed;

  /** Of the sequences that were computed so far: of the device, if that of any is. */
  private EvidenceLevel evidence = EvidenceLevel.HOST;

  AttentionCall(Execution execution) {
    this.execution = execution;
    backend = execution.backend();
    workspace = backend.newWorkspace();
    verify = execution.protection() != Protection.OFF;
    residence = new AttentionResidence(backend, verify);
    output = new Output(OPERATOR, backend, execution.scrubber(), verify);
    int threads = execution.team().threads();
    guard =
        new AttentionGuard(
            backend,
            execution.twin(),
            execution.log(),
            execution.protection(),
            execution.probation());
    found = new long[threads][Seal.SUMS];
    operands = new KeysAndValues(problem, backend, guard, verify, k, v, found);
    regions = new AttentionRegion[threads];
    Arrays.setAll(regions, i -> new AttentionRegion());
  }

  /**
   * Computes in float32 over keys and values, or over cached ones, a sequence each; arguments were
   * checked.
   */
  Status run(
      Tensor q,
      @Nullable Tensor k,
      @Nullable Tensor v,
      KeyValuePages @Nullable [] cached,
      Tensor out,
      AttentionOptions o) {
    evidence = EvidenceLevel.HOST;
    if (verify) {
      execution.log().call();
    }
    return runAll(q, k, v, cached, out, o);
  }

  /** What the last result was accepted on. */
  EvidenceLevel evidenceLevel() {
    return evidence;
  }

  private Status runAll(
      Tensor q,
      @Nullable Tensor k,
      @Nullable Tensor v,
      KeyValuePages @Nullable [] cached,
      Tensor out,
      AttentionOptions o) {
    Range ofOut = view.of(out, o.queryHeads());
    if (ofOut != null && queryRange(q, o.queryHeads()) != null) {
      return run(q, k, v, cached, out, ofOut, o, 0);
    }
    // A tensor that does not fold into matrices does so for each sequence.
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
              k == null ? null : k.slice(0, s, s + 1),
              v == null ? null : v.slice(0, s, s + 1),
              cached == null ? null : new KeyValuePages[] {cached[(int) s]},
              part,
              folded,
              o,
              (int) s);
      worst = worst.worse(status);
    }
    return worst;
  }

  /** Words of the queries, as their owner would seal them if that is possible; null if neither. */
  private @Nullable Range queryRange(Tensor queries, int heads) {
    return queries.folds() ? queries.range() : queryView.of(queries, heads);
  }

  private Status run(
      Tensor qTensor,
      @Nullable Tensor kTensor,
      @Nullable Tensor vTensor,
      KeyValuePages @Nullable [] cached,
      Tensor out,
      Range ofOut,
      AttentionOptions o,
      int firstSequence) {
    computed = false;
    target = out;
    words = ofOut;
    try {
      q.describe(qTensor, o.queryHeads());
      problem.pages = cached;
      if (kTensor != null && vTensor != null) {
        k.set(kTensor, o.kvHeads());
        v.set(vTensor, o.kvHeads());
      }
      together =
          reachable(qTensor)
              && reachable(kTensor)
              && reachable(vTensor)
              && reachable(out)
              && reachable(o.mask());
      Range ofQueries = queryView.of(qTensor, o.queryHeads());
      if (ofQueries != null) {
        residence.open(qTensor, ofQueries, out, words, view, o, workspace);
      }
      if (!residence.isOpen()) {
        q.fetch();
      }
      describe(o, firstSequence);
      residence.describe(problem, view, out);
      if (!together) {
        Announcement.confined();
      }
      if (verify) {
        sealSources(o);
      }
      return into(o, firstSequence);
    } finally {
      forget();
    }
  }

  private Status into(AttentionOptions o, int firstSequence) {
    boolean good = false;
    outputOpened = false;
    try {
      if (!residence.isOpen()) {
        openOutput();
      }
      Status status = verify ? computeAndVerify(o, firstSequence) : computeOnly(o, firstSequence);
      good = status != Status.DETECTED;
      if (verify && guard.evidenceLevel() == EvidenceLevel.DEVICE) {
        evidence = EvidenceLevel.DEVICE;
      }
      Status besides = outputOpened ? output.found() : Status.CLEAN;
      return besides.worse(status);
    } catch (UncorrectableFaultException lost) {
      if (computed) { // rows that are lost are NaN, there too
        deliverLogSums(o, firstSequence);
      }
      throw lost;
    } finally {
      if (outputOpened) {
        output.close(opened, computed, good, found[0], workspace);
      }
    }
  }

  private void openOutput() {
    outputOpened = true;
    output.open(Objects.requireNonNull(target).storage(), words, false, opened);
    view.place(opened, problem, output.isCopied());
  }

  /** Has queries and result here, whatever was computed elsewhere. */
  private void comeBack() {
    residence.discard();
    computed = false;
    problem.resident = null;
    q.fetch();
    problem.q = q.memory;
    if (verify) {
      sealQueries();
    }
    openOutput();
  }

  /** Seals what is read more than once. */
  private void sealSources(AttentionOptions o) {
    if (!residence.isOpen()) {
      sealQueries();
    }
    maskSource.open(o.mask(), problem, backend, found[0], workspace);
  }

  private void sealQueries() {
    Tensor queries = Objects.requireNonNull(q.tensor);
    Range range = queryRange(queries, q.heads);
    if (range != null) {
      querySource.open(queries, range, backend, found[0], workspace);
    }
  }

  private boolean reachable(@Nullable Tensor tensor) {
    return tensor == null || execution.team().canReach(tensor.storage().place());
  }

  private void describe(AttentionOptions o, int firstSequence) {
    AttentionProblem p = problem;
    p.batch = q.batch;
    p.heads = q.heads;
    KeyValuePages[] pages = p.pages;
    p.kvHeads = pages == null ? k.heads : pages[0].heads();
    p.queries = q.rows;
    p.keys = pages == null ? k.rows : longest(pages);
    p.depth = q.columns;
    p.columns = pages == null ? v.columns : pages[0].columns();
    p.scale = o.scaleOf(p.depth);
    p.verify = verify;
    p.q = q.memory;
    p.qOffset = 4 * q.offset;
    p.qBatchStride = 4 * q.batchStride;
    p.qHeadStride = 4 * q.headStride;
    p.qRowStride = 4 * q.rowStride;
    p.qStride = 4 * q.columnStride;
    if (pages == null) {
      operands.open();
    }
    logSums.open(o.logSumExp(), p);
    VisibilityOptions.describe(o, firstSequence, p);
    int threads = together ? execution.team().threads() : 1;
    cuts.cut(backend.attentionRows(), backend.attendsOnDevice() ? threads : 0);
    // With one low region for all that reads a head's keys, kernels compare digests on their way.
    boolean low = cuts.rowsOfOnlyRegion() <= backend.checkingRows();
    p.checksInline = verify && pages != null && (low || backend.attendsOnDevice());
  }

  private static long longest(KeyValuePages[] pages) {
    long longest = 0;
    for (KeyValuePages sequence : pages) {
      longest = Math.max(longest, sequence.length());
    }
    return longest;
  }

  private Status computeOnly(AttentionOptions o, int firstSequence) {
    prepare();
    compute();
    if (residence.isOpen() && !residence.keep()) {
      comeBack();
      prepare();
      compute();
    }
    deliverLogSums(o, firstSequence);
    return Status.CLEAN;
  }

  private Status computeAndVerify(AttentionOptions o, int firstSequence) {
    guard.open();
    if (residence.isOpen()) {
      if (isRightThere(o)) {
        return guard.close();
      }
      comeBack();
    }
    int disturbed = 0;
    for (int attempt = 0; attempt < ATTEMPTS && !guard.isBeyondRepair(); attempt++) {
      if (!attempt(o, firstSequence)) {
        // What was damaged has been put back; others may be at work on the same memory.
        attempt -= disturbed++ < DISTURBANCES && guard.isProgressing() ? 1 : 0;
        continue;
      }
      return guard.close();
    }
    poison();
    throw guard.giveUp();
  }

  /** Computes and verifies where the queries are; whether the result is the tensor's. */
  private boolean isRightThere(AttentionOptions o) {
    for (int attempt = 0; attempt < ATTEMPTS_THERE && !guard.isBeyondRepair(); attempt++) {
      long mark = Repairs.OF_TENSORS.mark();
      long pageMark = operands.repairsEnded();
      guard.forgetDoubts();
      guard.startAgain();
      prepare();
      compute();
      if (!residence.isWhole()) {
        return false;
      }
      boolean doubtful = guard.any();
      boolean intact = isIntact(o, mark, pageMark, doubtful || guard.isUnverified());
      if (doubtful && intact) {
        guard.note(Component.DEVICE_BUFFER);
      }
      if (doubtful || !intact) {
        continue;
      }
      switch (residence.verify(workspace)) {
        case DONE -> {
          return residence.keep();
        }
        case DIFFERS -> guard.note(Component.DEVICE_BUFFER);
        case INPUT_DIFFERS -> {
          guard.note(Component.DEVICE_BUFFER);
          return false;
        }
        case DECLINED -> {
          return false;
        }
      }
    }
    return false;
  }

  private void poison() {
    if (residence.isOpen()) {
      comeBack();
    }
    AttentionRegion region = regions[0];
    for (long task = 0; task < cuts.count(); task++) {
      if (cuts.describe(task, region)) {
        guard.poison(problem, region);
      }
    }
    computed = true;
  }

  /** Computes and verifies; whether there is a result. */
  private boolean attempt(AttentionOptions o, int firstSequence) {
    long mark = Repairs.OF_TENSORS.mark();
    long pageMark = operands.repairsEnded();
    guard.forgetDoubts();
    guard.startAgain();
    prepare();
    compute();
    boolean doubtful = guard.any();
    boolean intact = isIntact(o, mark, pageMark, doubtful || guard.isUnverified());
    if (!intact && guard.mends()) {
      return false;
    }
    guard.settle(problem, workspace, settled);
    // What regions were computed from a second time has to be looked at a second time.
    if (doubtful && guard.mends() && !isIntact(o, mark, pageMark, true)) {
      return false;
    }
    boolean sealed = sealed(doubtful || guard.isUnverified());
    boolean delivered = deliverLogSums(o, firstSequence);
    if (!sealed || !delivered) {
      guard.note(Component.OUTPUT);
      return !guard.mends(); // else, all that is asked for is a report
    }
    return true;
  }

  /** Whether all that was read is as it was sealed, after its last use. */
  private boolean isIntact(AttentionOptions o, long mark, long pageMark, boolean doubtful) {
    boolean intact = verifyOperands(doubtful);
    intact &= verifySources(o);
    return intact && Repairs.OF_TENSORS.noneSince(mark) && operands.repairsBegun() == pageMark;
  }

  private void prepare() {
    AttentionProblem p = problem;
    if (Probe.ON) {
      probeQueries(ProbePoint.QUERY_SOURCE_READ);
      MaskSource.probe(ProbePoint.MASK_READ, problem);
    }
    if (p.pages != null) {
      return;
    }
    if (Probe.ON) {
      k.probe(ProbePoint.KEY_SOURCE_READ);
      v.probe(ProbePoint.VALUE_SOURCE_READ);
    }
    operands.renew();
    phase = Phase.PREPARE;
    execution.team().run(operands.packingTasks(), this, together);
  }

  private void probeQueries(ProbePoint point) {
    if (!residence.isOpen()) {
      q.probe(point);
    }
  }

  /** After their last use: packed or cached keys and values, and what checks are made from. */
  private boolean verifyOperands(boolean doubtful) {
    phase = Phase.VERIFY;
    execution.team().run(operands.verifyingTasks(doubtful), this, together);
    return operands.isIntact();
  }

  private void compute() {
    phase = Phase.COMPUTE;
    int count = Math.toIntExact(cuts.count());
    if (stored.length < count) {
      stored = new long[count];
    }
    logSums.regions(count);
    execution.team().run(count, this, together);
    computed = true;
    if (Probe.ON) {
      probeQueries(ProbePoint.QUERY_SOURCE_LAST_USE);
      if (problem.pages == null) {
        k.probe(ProbePoint.KEY_SOURCE_LAST_USE);
        v.probe(ProbePoint.VALUE_SOURCE_LAST_USE);
      }
      MaskSource.probe(ProbePoint.MASK_LAST_USE, problem);
    }
  }

  /** Sealed operands, after they were read: what changed is put back. */
  private boolean verifySources(AttentionOptions o) {
    try {
      boolean good = residence.isOpen() || scrub(q.tensor);
      good &= scrub(k.tensor);
      good &= scrub(v.tensor);
      Tensor mask = o.mask();
      good &= mask == null || mask.dtype() != DType.FLOAT32 || scrub(mask);
      good &= note(querySource.verify(execution.scrubber()));
      good &= note(maskSource.verify(execution.scrubber()));
      return good;
    } catch (UncorrectableFaultException beyond) {
      poison(); // all of it may have read what is lost
      throw beyond;
    }
  }

  private boolean scrub(@Nullable Tensor tensor) {
    if (tensor == null) {
      return true;
    }
    if (Probe.ON) {
      probeSeals(tensor);
    }
    return note(execution.scrubber().scrub(OPERATOR, tensor));
  }

  /** Whether an operand was as it had been sealed. */
  private boolean note(Status found) {
    if (found != Status.CLEAN) {
      guard.scrubbed();
    }
    return found == Status.CLEAN;
  }

  private static void probeSeals(Tensor tensor) {
    for (Watch watch : tensor.storage().watches()) {
      if (watch.inForce() && tensor.touches(watch.range())) {
        var grid = (SealGrid) watch;
        int sums = (int) (Seal.SUMS * grid.blocks());
        Probe.reach(ProbePoint.OPERAND_SEAL, grid.sums(), 0, sums);
      }
    }
  }

  /**
   * Seals the result, if regions have not; whether its words are those that were computed.
   *
   * @param doubtful whether rows may have been computed again since
   */
  private boolean sealed(boolean doubtful) {
    SealGrid grid = opened.cSeals;
    if (grid == null) {
      return true;
    }
    if (doubtful || !regionsSeal(grid)) {
      phase = Phase.SEAL;
      execution
          .team()
          .run(grid.range().batch() * CheckBlock.down(grid.range().rows()), this, together);
    }
    long difference = 0;
    for (long block = 0; block < grid.blocks(); block++) {
      difference += grid.sums()[(int) (Seal.SUMS * block)];
    }
    for (int region = 0; region < cuts.count(); region++) {
      difference -= stored[region];
    }
    return difference == 0;
  }

  /**
   * Whether a seal's rows are one head's, so that they are in one region, and near when it ends.
   */
  private boolean regionsSeal(SealGrid grid) {
    AttentionProblem p = problem;
    return !backend.attendsOnDevice()
        && grid.range().batch() == p.batch * p.heads
        && grid.range().rows() == p.queries;
  }

  /** Seals a region's rows. */
  private void seal(AttentionRegion region, int worker, Workspace w) {
    SealGrid grid = opened.cSeals;
    if (grid == null || !regionsSeal(grid)) {
      return;
    }
    long down = CheckBlock.down(problem.queries);
    for (int head = region.head; head < region.head + region.heads; head++) {
      long first = (region.sequence * problem.heads + head) * down;
      for (long row = 0; row < region.queries; row += CheckBlock.ROWS) {
        seal(first + (region.query + row) / CheckBlock.ROWS, worker, w);
      }
    }
  }

  private void seal(long blockRow, int worker, Workspace w) {
    SealGrid grid = opened.cSeals;
    if (grid == null) {
      return;
    }
    long across = CheckBlock.across(grid.range().columns());
    long[] sums = found[worker];
    for (long block = blockRow * across; block < (blockRow + 1) * across; block++) {
      backend.scan(opened.c, grid, block, sums, w);
      System.arraycopy(sums, 0, grid.sums(), (int) (Seal.SUMS * block), Seal.SUMS);
    }
  }

  @Override
  public void perform(long task, int worker) {
    Workspace w = worker == 0 ? workspace : execution.helpers().get(worker - 1);
    switch (phase) {
      case PREPARE -> operands.pack(task, w);
      case COMPUTE -> compute(task, worker, w);
      case VERIFY -> operands.verify(task, worker, w);
      case SEAL -> seal(task, worker, w);
    }
  }

  private void compute(long task, int worker, Workspace w) {
    AttentionRegion region = regions[worker];
    boolean any = cuts.describe(task, region);
    region.stored = 0;
    region.logarithms = 0;
    if (any) {
      region.checks = 0;
      backend.attend(problem, region, w, guard);
      if (verify) {
        guard.count(region);
        seal(region, worker, w);
      }
    }
    keepSums(region);
  }

  private void keepSums(AttentionRegion region) {
    stored[region.number] = region.stored;
    logSums.keep(region);
  }

  private boolean deliverLogSums(AttentionOptions o, int firstSequence) {
    return logSums.deliver(o.logSumExp(), firstSequence, problem, cuts.count());
  }

  private void forget() {
    residence.discard();
    target = null;
    q.forget();
    k.forget();
    v.forget();
    querySource.forget();
    maskSource.forget();
    problem.q = MemorySegment.NULL;
    problem.out = MemorySegment.NULL;
    opened.c = MemorySegment.NULL;
    opened.cSeals = null;
    problem.pages = null;
    problem.resident = null;
    problem.visibility.forget();
    output.forget();
  }

  @Override
  public void close() {
    operands.close();
    output.close();
    logSums.close();
    maskSource.close();
  }
}
