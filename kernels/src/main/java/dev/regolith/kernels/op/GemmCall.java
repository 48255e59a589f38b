package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Guard;
import dev.regolith.kernels.guard.SealedInput;
import dev.regolith.kernels.guard.Sources;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One gemm on its way: prepares the operands, computes, verifies what it read, has the guard mend.
 * Holds the buffers that this takes, and is reused from call to call by one thread at a time.
 *
 * <p>Three phases, each spread over the team:
 *
 * <ol>
 *   <li><b>prepare</b>: pack B; seal A where nobody did, or copy it into the form the kernels read;
 *       keep the old C if beta is not 0;
 *   <li><b>compute</b>: regions of C;
 *   <li><b>verify</b>: the seals of every input, after its last use.
 * </ol>
 */
final class GemmCall implements Team.Tasks, Sources, AutoCloseable {
  private enum Phase {
    PREPARE,
    COMPUTE,
    VERIFY
  }

  private static final int ATTEMPTS = 3;

  private final Execution execution;
  private final Workspace workspace;
  private final Guard guard;
  private final boolean verify;

  private final GemmProblem problem = new GemmProblem();
  private final PackedB fresh;
  private final Scratch aCopy = new Scratch();
  private final Scratch cWork = new Scratch();
  private final Scratch oldC = new Scratch();
  private final CallSeals aSeals = new CallSeals();
  private final CallSeals oldCSeals = new CallSeals();
  private final CallSeals cSeals = new CallSeals();
  private final CallSeals delivered = new CallSeals();
  private final Region[] regions;
  private final long[][] found;

  private SealedInput[] inputs = {new SealedInput(), new SealedInput(), new SealedInput()};
  private int inputCount;
  private SealGrid[] suspended = new SealGrid[4];
  private int suspendedCount;
  private Phase phase = Phase.PREPARE;

  // Operands of the call in progress.
  private Range aRange = NO_RANGE;
  private MemorySegment aSource = MemorySegment.NULL;
  private boolean aCopied;
  private @Nullable SealGrid aFresh;
  private Range bRange = NO_RANGE;
  private MemorySegment bSource = MemorySegment.NULL;
  private boolean bFresh;
  private Range cRange = NO_RANGE;
  private MemorySegment cTarget = MemorySegment.NULL;
  private boolean cCopied;
  private @Nullable SealGrid oldCGrid;

  // How C is cut into regions.
  private long rowsPerRegion;
  private long chunks;
  private int blocksPerRegion;
  private long groups;

  // How the preparation is cut into tasks.
  private long packTasks;
  private long aTasks;

  private static final Range NO_RANGE = new Range(0, 0, 0, 0, 0, 0, 0);

  GemmCall(Execution execution) {
    this.execution = execution;
    this.workspace = execution.backend().newWorkspace();
    this.verify = execution.protection() != Protection.OFF;
    this.guard =
        new Guard(
            "gemm", execution.backend(), execution.twin(), execution.log(), execution.protection());
    this.fresh = new PackedB(execution.backend().panelColumns());
    int threads = execution.team().threads();
    regions = new Region[threads];
    found = new long[threads][Seal.SUMS];
    for (int i = 0; i < threads; i++) {
      regions[i] = new Region();
    }
  }

  /**
   * Computes {@code C = alpha A B + beta C}; arguments were checked.
   *
   * @param b the right operand, or null if it is {@code packed}
   */
  Status run(
      float alpha, Tensor a, @Nullable Tensor b, @Nullable PackedB packed, float beta, Tensor c) {
    if (c.elements() == 0) {
      return Status.CLEAN;
    }
    inputCount = 0;
    Range aFull = a.range();
    cRange = c.range();
    problem.batch = cRange.batch();
    problem.rows = cRange.rows();
    problem.columns = cRange.columns();
    // alpha = 0 reads neither A nor B: a product of depth 0.
    problem.depth = alpha == 0 ? 0 : aFull.columns();
    problem.alpha = alpha;
    problem.beta = beta;
    problem.verify = verify;
    if (verify) {
      guard.open();
    }
    openA(a, aFull);
    openB(b, packed);
    var seals = openC(c, beta != 0);
    boolean done = false;
    try {
      Status status = compute(a, b);
      if (cCopied) {
        deliver();
      }
      if (seals != null) {
        if (cCopied) {
          System.arraycopy(
              cSealsNow().sums(), 0, seals.sums(), 0, (int) (Seal.SUMS * seals.blocks()));
        }
        if (Probe.ON) {
          Probe.reach(ProbePoint.C_SEAL, seals.sums(), 0, (int) (Seal.SUMS * seals.blocks()));
        }
        seals.inForce(status != Status.DETECTED);
      }
      for (int i = 0; i < suspendedCount && verify; i++) {
        suspended[i].sealAll(cTarget);
      }
      done = true;
      return status;
    } finally {
      if (!done && seals != null) {
        seals.inForce(false);
      }
      forget();
    }
  }

  private Status compute(Tensor a, @Nullable Tensor b) {
    Team team = execution.team();
    if (verify) {
      collectInputs(a, b);
    }
    phase = Phase.PREPARE;
    long matrixDown = problem.batch * CheckBlock.down(problem.rows);
    team.run(packTasks + aTasks + (problem.beta != 0 ? matrixDown : 0), this);
    cut(team.threads());
    phase = Phase.COMPUTE;
    team.run(problem.batch * chunks * groups, this);
    if (!verify) {
      return Status.CLEAN;
    }
    if (Probe.ON) {
      probeInputs();
    }
    verifyInputs();
    return guard.close(problem, aReadRange(), this, workspace);
  }

  // ---------------------------------------------------------------------------------- operands

  private void openA(Tensor a, Range range) {
    aRange = range;
    aSource = a.storage().segment();
    boolean unread = problem.depth == 0;
    aCopied =
        !unread
            && (!aSource.isNative()
                || aSource.isReadOnly()
                || (range.columnStride() != 1 && range.columns() > 1));
    aFresh = null;
    aTasks = 0;
    boolean broadcast = range.batch() == 1;
    if (aCopied) {
      long stride = 4 * range.columns();
      problem.a = aCopy.atLeast(range.batch() * range.rows() * stride);
      problem.aOffset = 0;
      problem.aStride = stride;
      problem.aBatchStride = broadcast ? 0 : range.rows() * stride;
    } else {
      problem.a = aSource;
      problem.aOffset = 4 * range.offset();
      problem.aStride = 4 * range.rowStride();
      problem.aBatchStride = broadcast ? 0 : 4 * range.batchStride();
    }
    if (!unread && (aCopied || (verify && !isSealedWhole(a)))) {
      aFresh = aSeals.of(aReadRange());
      aTasks = range.batch() * CheckBlock.down(range.rows());
    }
  }

  /** Where the kernels read A. */
  private Range aReadRange() {
    return aCopied ? copyRange(aRange) : aRange;
  }

  private Range copyRange = NO_RANGE;

  private Range copyRange(Range range) {
    long columns = range.columns();
    long rows = range.rows();
    boolean same =
        copyRange.batch() == range.batch()
            && copyRange.rows() == rows
            && copyRange.columns() == columns;
    if (!same) {
      copyRange = new Range(0, range.batch(), rows, columns, rows * columns, columns, 1);
    }
    return copyRange;
  }

  private static boolean isSealedWhole(Tensor tensor) {
    Watch watch = tensor.storage().watchOf(tensor.range());
    return watch != null && watch.inForce();
  }

  private void openB(@Nullable Tensor b, @Nullable PackedB packed) {
    bFresh = packed == null || problem.depth == 0;
    packTasks = 0;
    if (!bFresh && packed != null) {
      problem.b = packed;
      return;
    }
    bRange = b == null ? NO_RANGE : b.range();
    bSource = b == null ? MemorySegment.NULL : b.storage().segment();
    long matrices = problem.depth == 0 ? 1 : bRange.batch();
    fresh.reshape(matrices, problem.depth, problem.columns);
    problem.b = fresh;
    packTasks = matrices * fresh.blocks() * fresh.kBlocks();
  }

  /** Prepares C; the seals that will watch over it, if any. */
  private @Nullable SealGrid openC(Tensor c, boolean readsOld) {
    cTarget = c.storage().segment();
    cCopied = !cTarget.isNative() || (cRange.columnStride() != 1 && cRange.columns() > 1);
    long stride = 4 * cRange.columns();
    if (cCopied) {
      problem.c = cWork.atLeast(cRange.size() * 4);
      problem.cOffset = 0;
      problem.cStride = stride;
      problem.cBatchStride = cRange.rows() * stride;
    } else {
      problem.c = cTarget;
      problem.cOffset = 4 * cRange.offset();
      problem.cStride = 4 * cRange.rowStride();
      problem.cBatchStride = 4 * cRange.batchStride();
    }
    Storage storage = c.storage();
    var watch = (SealGrid) storage.watchOf(cRange);
    suspendOthers(storage, watch);
    oldCGrid = null;
    if (readsOld) {
      problem.oldC = oldC.atLeast(cRange.size() * 4);
      problem.oldCStride = stride;
      problem.oldCBatchStride = cRange.rows() * stride;
      if (verify) {
        long columns = cRange.columns();
        var grid =
            oldCSeals.of(
                new Range(
                    0,
                    cRange.batch(),
                    cRange.rows(),
                    columns,
                    cRange.rows() * columns,
                    columns,
                    1));
        grid.inForce(watch != null && watch.inForce());
        if (watch != null && watch.inForce()) {
          System.arraycopy(watch.sums(), 0, grid.sums(), 0, (int) (Seal.SUMS * watch.blocks()));
        }
        oldCGrid = grid;
      }
    }
    problem.cSeals = null;
    if (!verify) {
      if (watch != null) {
        watch.inForce(false);
      }
      return null;
    }
    if (watch == null && storage.sealsItself()) {
      watch = new SealGrid(cRange);
      storage.add(watch);
    }
    if (watch != null) {
      watch.inForce(false);
    }
    problem.cSeals = cCopied ? cSealsNow() : watch;
    return watch;
  }

  /**
   * Seals of other cuts of C's memory (a whole tensor, where C is a part of it) cover words that
   * are about to change and words that are not: they are verified now and made anew afterwards.
   */
  private void suspendOthers(Storage storage, @Nullable SealGrid own) {
    suspendedCount = 0;
    for (Watch each : storage.watches()) {
      if (each != own && each.inForce() && each.range().intersects(cRange)) {
        var grid = (SealGrid) each;
        if (verify) {
          execution.scrubber().scrub("gemm", storage.segment(), grid);
        }
        grid.inForce(false);
        if (suspendedCount == suspended.length) {
          suspended = Arrays.copyOf(suspended, 2 * suspendedCount);
        }
        suspended[suspendedCount++] = grid;
      }
    }
  }

  private SealGrid cSealsNow() {
    return cSeals.of(
        new Range(
            0,
            cRange.batch(),
            cRange.rows(),
            cRange.columns(),
            cRange.rows() * cRange.columns(),
            cRange.columns(),
            1));
  }

  private void forget() {
    for (int i = 0; i < inputCount; i++) {
      inputs[i].memory = MemorySegment.NULL;
    }
    problem.a = MemorySegment.NULL;
    problem.c = MemorySegment.NULL;
    aSource = MemorySegment.NULL;
    bSource = MemorySegment.NULL;
    cTarget = MemorySegment.NULL;
  }

  // ------------------------------------------------------------------------------------- tasks

  private void cut(int threads) {
    long blocks = CheckBlock.across(problem.columns);
    blocksPerRegion = (int) Math.min(Region.MAX_BLOCKS, blocks);
    groups = Math.ceilDiv(blocks, blocksPerRegion);
    long down = CheckBlock.down(problem.rows);
    chunks = Math.ceilDiv(problem.rows, Region.MAX_ROWS);
    long wanted = threads == 1 ? 1 : 2L * threads;
    while (problem.batch * chunks * groups < wanted && blocksPerRegion > 1) {
      blocksPerRegion--;
      groups = Math.ceilDiv(blocks, blocksPerRegion);
    }
    long tasks = problem.batch * chunks * groups;
    if (tasks < wanted) {
      chunks = Math.min(down, chunks * Math.ceilDiv(wanted, tasks));
    }
    rowsPerRegion = Math.ceilDiv(down, chunks) * CheckBlock.ROWS;
    chunks = Math.ceilDiv(problem.rows, rowsPerRegion);
  }

  @Override
  public void perform(long task, int worker) {
    Workspace w = worker == 0 ? workspace : execution.helpers().get(worker - 1);
    switch (phase) {
      case PREPARE -> prepare(task, worker, w);
      case COMPUTE -> compute(task, worker, w);
      case VERIFY -> verify(task, worker, w);
    }
  }

  private void prepare(long task, int worker, Workspace w) {
    if (task < packTasks) {
      pack(task, w);
    } else if (task < packTasks + aTasks) {
      prepareA(task - packTasks, worker, w);
    } else {
      keepOldC(task - packTasks - aTasks, worker, w);
    }
  }

  private void pack(long task, Workspace w) {
    int kBlock = (int) (task % fresh.kBlocks());
    long block = task / fresh.kBlocks() % fresh.blocks();
    long matrix = task / fresh.kBlocks() / fresh.blocks();
    execution.backend().pack(bSource, bRange, matrix, fresh, block, kBlock, verify, w);
  }

  /** Copies and seals 24 rows of A, or seals them where they are. */
  private void prepareA(long task, int worker, Workspace w) {
    long down = CheckBlock.down(aRange.rows());
    long matrix = task / down;
    long blockRow = task % down;
    SealGrid grid = aFresh;
    if (grid == null) {
      return;
    }
    long row = blockRow * CheckBlock.ROWS;
    int rows = (int) Math.min(CheckBlock.ROWS, aRange.rows() - row);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      long read = 0;
      if (aCopied) {
        long to = matrix * problem.aBatchStride + row * problem.aStride;
        read =
            Staging.gather(
                aSource,
                aRange,
                matrix,
                row,
                rows,
                0,
                aRange.columns(),
                problem.a,
                to,
                problem.aStride);
      }
      if (!verify) {
        return;
      }
      long sealed = 0;
      for (long column = 0; column < CheckBlock.across(aRange.columns()); column++) {
        int block = grid.block(matrix, blockRow, column);
        execution.backend().scan(problem.a, grid, block, found[worker], w);
        System.arraycopy(found[worker], 0, grid.sums(), Seal.SUMS * block, Seal.SUMS);
        sealed += found[worker][0];
      }
      if (!aCopied || read == sealed) {
        return;
      }
    }
  }

  /** Keeps 24 rows of the old C, sealed: what recomputation would need once C is overwritten. */
  private void keepOldC(long task, int worker, Workspace w) {
    long down = CheckBlock.down(cRange.rows());
    long matrix = task / down;
    long blockRow = task % down;
    long row = blockRow * CheckBlock.ROWS;
    int rows = (int) Math.min(CheckBlock.ROWS, cRange.rows() - row);
    long to = problem.oldCRow(matrix, row);
    SealGrid grid = oldCGrid;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      long read =
          Staging.gather(
              cTarget,
              cRange,
              matrix,
              row,
              rows,
              0,
              cRange.columns(),
              problem.oldC,
              to,
              problem.oldCStride);
      if (grid == null || grid.inForce()) {
        return; // not verified, or sealed by its producer: verified after its last use
      }
      long sealed = 0;
      for (long column = 0; column < CheckBlock.across(cRange.columns()); column++) {
        int block = grid.block(matrix, blockRow, column);
        execution.backend().scan(problem.oldC, grid, block, found[worker], w);
        System.arraycopy(found[worker], 0, grid.sums(), Seal.SUMS * block, Seal.SUMS);
        sealed += found[worker][0];
      }
      if (read == sealed) {
        return;
      }
    }
  }

  private void compute(long task, int worker, Workspace w) {
    long chunk = task % chunks;
    long group = task / chunks % groups;
    long matrix = task / chunks / groups;
    long row = chunk * rowsPerRegion;
    long block = group * blocksPerRegion;
    int rows = (int) Math.min(rowsPerRegion, problem.rows - row);
    int blocks = (int) Math.min(blocksPerRegion, CheckBlock.across(problem.columns) - block);
    execution
        .backend()
        .run(problem, regions[worker].set(matrix, row, rows, block, blocks), w, guard);
  }

  // ------------------------------------------------------------------------------ verification

  private void collectInputs(Tensor a, @Nullable Tensor b) {
    if (problem.depth > 0) {
      collectWatches(Component.OPERAND_A, a, aCopied);
      if (aFresh != null) {
        addInput(Component.OPERAND_A, problem.a, aFresh, aFresh.range(), false);
      }
      if (b != null) {
        collectWatches(Component.OPERAND_B, b, true);
      }
    }
    if (oldCGrid != null && problem.beta != 0) {
      addInput(Component.OLD_C, problem.oldC, oldCGrid, oldCGrid.range(), false);
    }
  }

  private void collectWatches(Component component, Tensor tensor, boolean copied) {
    for (Watch watch : tensor.storage().watches()) {
      if (watch.inForce() && watch.range().mayTouch(tensor.range())) {
        addInput(component, tensor.storage().segment(), (SealGrid) watch, tensor.range(), copied);
      }
    }
  }

  private void addInput(
      Component component, MemorySegment memory, SealGrid grid, Range read, boolean copied) {
    if (inputCount == inputs.length) {
      inputs = Arrays.copyOf(inputs, 2 * inputCount);
      for (int i = inputCount; i < inputs.length; i++) {
        inputs[i] = new SealedInput();
      }
    }
    inputs[inputCount++].set(component, memory, grid, read, copied);
  }

  private void probeInputs() {
    if (problem.depth > 0) {
      Probe.reach(
          ProbePoint.A_LAST_USE,
          problem.a,
          problem.aOffset,
          problem.rows,
          4 * problem.depth,
          problem.aStride);
    }
    for (int i = 0; i < inputCount; i++) {
      SealedInput input = inputs[i];
      ProbePoint point =
          input.component == Component.OLD_C ? ProbePoint.OLD_C_SEAL : ProbePoint.A_SEAL;
      Probe.reach(point, input.grid.sums(), 0, (int) (Seal.SUMS * input.grid.blocks()));
    }
    if (problem.beta != 0) {
      Probe.reach(ProbePoint.OLD_C_LAST_USE, problem.oldC, 0, 1, 4 * cRange.size(), 0);
    }
  }

  @Override
  public void verifyInputs() {
    phase = Phase.VERIFY;
    long tasks = 0;
    for (int i = 0; i < inputCount; i++) {
      tasks += blockRows(inputs[i].grid);
    }
    execution.team().run(tasks, this);
  }

  private static long blockRows(SealGrid grid) {
    return grid.range().batch() * CheckBlock.down(grid.range().rows());
  }

  private void verify(long task, int worker, Workspace w) {
    int i = 0;
    long rest = task;
    while (rest >= blockRows(inputs[i].grid)) {
      rest -= blockRows(inputs[i].grid);
      i++;
    }
    SealedInput input = inputs[i];
    SealGrid grid = input.grid;
    long across = CheckBlock.across(grid.range().columns());
    for (long block = rest * across; block < (rest + 1) * across; block++) {
      if (!input.reads(block)) {
        continue;
      }
      execution.backend().scan(input.memory, grid, block, found[worker], w);
      if (!Seal.same(found[worker], 0, grid.sums(), (int) (Seal.SUMS * block))
          || grid.repairs() != input.repairsAtStart) {
        guard.inputDiffers(input, block);
      }
    }
  }

  @Override
  public boolean copyAgain(Component operand) {
    if (operand == Component.OPERAND_A) {
      for (long task = 0; task < aTasks; task++) {
        prepareA(task, 0, workspace);
      }
      return true;
    }
    boolean packs = operand == Component.OPERAND_B || operand == Component.PACKED_B;
    if (packs && bFresh) {
      for (long task = 0; task < packTasks; task++) {
        pack(task, workspace);
      }
    }
    return packs && bFresh;
  }

  /** Brings the result from where it was computed to where it was asked for, and looks at it. */
  private void deliver() {
    SealGrid wanted = cSealsNow();
    SealGrid target = delivered.of(cRange);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      for (long matrix = 0; matrix < cRange.batch(); matrix++) {
        long from = matrix * problem.cBatchStride;
        Staging.scatter(
            problem.c, from, problem.cStride, cTarget, cRange, matrix, 0, cRange.rows());
      }
      boolean same = true;
      for (int block = 0; verify && block < target.blocks(); block++) {
        execution.backend().scan(cTarget, target, block, found[0], workspace);
        same &= Seal.same(found[0], 0, wanted.sums(), Seal.SUMS * block);
      }
      if (same) {
        return;
      }
    }
  }

  @Override
  public void close() {
    fresh.release();
    aCopy.close();
    cWork.close();
    oldC.close();
  }
}
