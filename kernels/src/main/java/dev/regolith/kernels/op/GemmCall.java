package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.backend.ResidentResult;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Guard;
import dev.regolith.kernels.guard.SealedInput;
import dev.regolith.kernels.guard.Sources;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One gemm on its way: prepares the operands, computes, verifies what it read, has the guard mend.
 * Holds the buffers that this takes, and is reused from call to call by one thread at a time.
 *
 * <p>Three phases, each spread over the team:
 *
 * <ol>
 *   <li><b>prepare</b>: pack B, unless each region packs its own, or multiplies it where it lies;
 *       seal A where nobody did, or copy it into the form the kernels read; keep the old C if beta
 *       is not 0;
 *   <li><b>compute</b>: regions of C;
 *   <li><b>verify</b>: the seals of every input, after its last use.
 * </ol>
 */
final class GemmCall implements Team.Tasks, Sources, Calls.Call {
  private enum Phase {
    PREPARE,
    COMPUTE,
    VERIFY
  }

  /** For reports. */
  static final String OPERATOR = "gemm";

  /** Most multiply-adds, and elements of B, of a product that one thread computes sooner. */
  private static final long ALONE = 1 << 18;

  private static final long ALONE_WITH = 1 << 16;

  private static final PackedB NOTHING = new PackedB(CheckBlock.COLUMNS);

  private final Execution execution;
  private final Workspace workspace;
  private final Guard guard;
  private final boolean verify;
  private final GemmProblem problem = new GemmProblem();
  private final LeftOperand left;
  private final RightOperand right;
  private final Output output;
  private final RegionCut cut;

  /** Per worker: a region to compute, and room for the sums of a seal. */
  private final Region[] regions;

  private final long[][] found;

  private SealedInput[] inputs = {};
  private int inputCount;
  private @Nullable SealedInput leftInput;
  private @Nullable SealedInput rightInput;
  private Phase phase = Phase.PREPARE;
  private boolean together;
  private boolean computed;
  private long mark;

  GemmCall(Execution execution) {
    this.execution = execution;
    var backend = execution.backend();
    this.workspace = backend.newWorkspace();
    this.verify = execution.protection() != Protection.OFF;
    this.guard =
        new Guard(
            OPERATOR,
            backend,
            execution.twin(),
            execution.log(),
            execution.protection(),
            execution.probation());
    this.cut = new RegionCut(backend, problem);
    this.left = new LeftOperand(backend, verify);
    this.right = new RightOperand(backend, verify);
    this.output = new Output(OPERATOR, backend, execution.scrubber(), verify);
    int threads = execution.team().threads();
    regions = new Region[threads];
    found = new long[threads][Seal.SUMS];
    Arrays.setAll(regions, i -> new Region());
  }

  /**
   * Computes {@code C = alpha A B + beta C} in float32; arguments were checked; B is given in one
   * form; C has elements.
   */
  Status run(
      float alpha, Tensor a, @Nullable Tensor b, @Nullable PackedB packed, float beta, Tensor c) {
    Range range = c.range();
    problem.batch = range.batch();
    problem.rows = range.rows();
    problem.columns = range.columns();
    // alpha = 0 reads neither A nor B: a product of depth 0.
    problem.depth = alpha == 0 ? 0 : a.size(-1);
    problem.alpha = alpha;
    problem.beta = beta;
    problem.verify = verify;
    problem.hostEvidence = false;
    inputCount = 0;
    leftInput = null;
    rightInput = null;
    together =
        reachable(a)
            && (b == null || reachable(b))
            && (packed == null || execution.team().canReach(packed.panels()))
            && reachable(c);
    if (!together) {
      Announcement.confined();
    }
    together &= isWorthSharing();
    computed = false;
    beginReading();
    try {
      return computeAndDeliver(a, b, packed, c).worse(output.found());
    } finally {
      forget();
    }
  }

  /** What the last result was accepted on. */
  EvidenceLevel evidenceLevel() {
    return guard.evidenceLevel();
  }

  /** Whether it takes longer to compute, or to read B, than to wake other threads. */
  private boolean isWorthSharing() {
    long ofB = problem.depth * problem.columns;
    return problem.batch * problem.rows * ofB > ALONE || ofB > ALONE_WITH;
  }

  private Status computeAndDeliver(
      Tensor a, @Nullable Tensor b, @Nullable PackedB packed, Tensor c) {
    boolean good = false;
    try {
      left.open(a, problem.depth > 0, problem);
      boolean leaves = b != null && cut.leavesPanels(b.range().batch(), threads());
      right.open(b, packed, leaves, problem);
      output.open(c.storage(), c.range(), problem.beta != 0, problem);
      reserve(c);
      Status status = compute(a, b);
      settleResident(status == Status.CLEAN);
      if (status != Status.CLEAN && problem.aStorage != null) {
        // What was put back, or done again, an accelerator's copy may still have wrong.
        problem.aStorage.segmentToWrite(false);
      }
      good = status != Status.DETECTED;
      return status;
    } finally {
      settleResident(false);
      // Also what could not be put right is handed over: poisoned, rather than the old values.
      output.close(problem, computed, good, found[0], workspace);
    }
  }

  /**
   * Has the result stay where A is, with an accelerator: as well, or, if nobody needs it here,
   * instead.
   */
  private void reserve(Tensor c) {
    Residence residence = execution.backend().residence();
    Storage ofA = problem.aStorage;
    if (residence == null
        || ofA == null
        || !residence.has(ofA)
        || !Residents.isAlone(c)
        || output.hasSuspended()) {
      return;
    }
    problem.cResident = residence.reserve(c.storage());
    boolean verifiedThere = residence.predicts() && problem.beta == 0;
    problem.cAway = problem.cResident != null && (!verify || verifiedThere);
  }

  /** Has the accelerator keep the result, or not. */
  private void settleResident(boolean clean) {
    ResidentResult resident = problem.cResident;
    boolean away = problem.cAway;
    problem.cResident = null;
    problem.cAway = false;
    if (resident != null && clean) {
      resident.keep(away);
    } else if (resident != null) {
      resident.discard();
    }
  }

  /** Whether the result, or A, is away, and cannot stay there: doubts are settled here. */
  private boolean isNeededHere() {
    ResidentResult resident = problem.cResident;
    boolean away = problem.aAway || problem.cAway;
    boolean whole = resident == null || resident.isWhole();
    return away && (!whole || (verify && guard.isInDoubt(problem, workspace)));
  }

  /** Brings A here, and has the result computed once more, for the host to verify and to have. */
  private void comeBack() {
    if (problem.aAway && problem.aStorage != null) {
      problem.aStorage.segment(); // to where problem.a is
      problem.aAway = false;
    }
    if (problem.cAway) {
      settleResident(false);
      problem.hostEvidence = true;
      guard.startAgain();
      computeAll();
      if (verify) {
        verifyInputs();
      }
    }
  }

  private boolean reachable(Tensor tensor) {
    return execution.team().canReach(tensor.storage().place());
  }

  private Status compute(Tensor a, @Nullable Tensor b) {
    Team team = execution.team();
    if (verify) {
      collectInputs(a, b);
      guard.open(leftInput, rightInput);
    }
    phase = Phase.PREPARE;
    team.run(right.tasks() + left.tasks() + output.tasks(), this, together);
    output.verifyOldParts(found[0], workspace);
    cut.cut(threads());
    verifyRightInline(b);
    computeAll();
    computed = true;
    if (Probe.ON && problem.isDirect()) {
      probeRight();
    }
    boolean direct = problem.isDirect();
    // What is computed again reads panels that were packed once, under the seals of that time.
    problem.closeSource();
    if (Probe.ON) {
      probeInputs();
    }
    if (verify) {
      verifyInputs();
    }
    if (direct && guard.isInDoubt(problem, workspace)) {
      if (rightInput != null) {
        rightInput.inline = false; // B is read again, and has to be verified after that
      }
      right.packAgain(problem.b, workspace); // for the first time
    }
    if (isNeededHere()) {
      comeBack();
    }
    if (!verify) {
      return Status.CLEAN;
    }
    return guard.close(problem, left.readRange(), this, workspace);
  }

  /** Has the regions compare B with its seals, if each word is read by one of them. */
  private void verifyRightInline(@Nullable Tensor b) {
    SealedInput input = rightInput;
    if (input != null && b != null && cut.isFullHeight() && b.range().batch() == problem.batch) {
      input.inline = true;
      problem.bSeals = input.grid;
    }
  }

  private void computeAll() {
    phase = Phase.COMPUTE;
    execution.team().run(cut.regions(), this, together);
  }

  private void forget() {
    for (int i = 0; i < inputCount; i++) {
      inputs[i].memory = MemorySegment.NULL;
    }
    problem.a = MemorySegment.NULL;
    problem.b = NOTHING;
    problem.closeSource();
    problem.c = MemorySegment.NULL;
    problem.aStorage = null;
    left.forget();
    right.forget();
    output.forget();
  }

  private int threads() {
    return together ? execution.team().threads() : 1;
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
    long rest = task - right.tasks();
    if (rest < 0) {
      right.pack(task, w);
    } else if (rest < left.tasks()) {
      left.prepare(rest, found[worker], w);
    } else {
      output.keepOld(rest - left.tasks(), found[worker], w);
    }
  }

  private void compute(long task, int worker, Workspace w) {
    execution.backend().run(problem, cut.region(task, regions[worker]), w, guard);
  }

  // ------------------------------------------------------------------------------ verification

  private void collectInputs(Tensor a, @Nullable Tensor b) {
    if (problem.depth > 0) {
      collectWatches(Component.OPERAND_A, a, left.isCopied());
      SealGrid seals = left.seals();
      if (seals != null) {
        leftInput = addInput(Component.OPERAND_A, problem.a, seals);
        leftInput.inline = left.isCopied();
      }
      if (b != null) {
        collectWatches(Component.OPERAND_B, b, true);
      }
    }
    if (output.oldSeals() != null) {
      addInput(Component.OLD_C, problem.oldC, output.oldSeals());
    }
    if (output.ownSeals() != null) {
      addInput(Component.OUTPUT, problem.c, output.ownSeals());
    }
  }

  private void collectWatches(Component component, Tensor tensor, boolean copied) {
    for (Watch watch : tensor.storage().watches()) {
      if (watch.inForce() && watch.range().intersects(tensor.range())) {
        // Of words that are away, the backend compares what it reads; they may come back later.
        MemorySegment memory = tensor.storage().place();
        boolean again = copied || left.seals() != null;
        SealedInput input = nextInput();
        input.set(component, memory, (SealGrid) watch, tensor.range(), again);
        if (component == Component.OPERAND_A && watch == problem.aSeals) {
          input.inline = true;
          leftInput = input;
        }
        if (component == Component.OPERAND_B
            && problem.isDirect()
            && watch.range().equals(tensor.range())) {
          rightInput = input;
        }
      }
    }
  }

  private SealedInput addInput(Component component, MemorySegment memory, SealGrid grid) {
    SealedInput input = nextInput();
    input.set(component, memory, grid, grid.range(), false);
    return input;
  }

  private SealedInput nextInput() {
    if (inputCount == inputs.length) {
      inputs = Arrays.copyOf(inputs, inputCount + 4);
      for (int i = inputCount; i < inputs.length; i++) {
        inputs[i] = new SealedInput();
      }
    }
    return inputs[inputCount++];
  }

  private void probeRight() {
    Range range = Objects.requireNonNull(problem.bRange);
    Probe.reach(
        ProbePoint.B_LAST_USE,
        problem.bSource,
        4 * range.offset(),
        problem.depth,
        4 * problem.columns,
        4 * range.rowStride());
  }

  private void probeInputs() {
    if (!problem.aAway) {
      Probe.reach(
          ProbePoint.A_LAST_USE,
          problem.a,
          problem.aOffset,
          problem.rows,
          4 * problem.depth,
          problem.aStride);
    }
    if (problem.beta != 0) {
      long words = problem.batch * problem.rows * problem.columns;
      Probe.reach(ProbePoint.OLD_C_LAST_USE, problem.oldC, 0, 1, 4 * words, 0);
    }
    for (int i = 0; i < inputCount; i++) {
      SealedInput input = inputs[i];
      if (input.component == Component.OLD_C) {
        long sums = Seal.SUMS * input.grid.blocks();
        Probe.reach(ProbePoint.OLD_C_SEAL, input.grid.sums(), 0, (int) sums);
      }
    }
  }

  @Override
  public void verifyInputs() {
    phase = Phase.VERIFY;
    long tasks = 0;
    for (int i = 0; i < inputCount; i++) {
      tasks += tasks(inputs[i]);
    }
    execution.team().run(tasks, this, together);
    if (!Repairs.OF_TENSORS.noneSince(mark)) {
      // Copies and their seals may have been made of what somebody has put back since.
      copyAgain(Component.OPERAND_A);
      copyAgain(Component.OPERAND_B);
      guard.everythingDiffers(problem);
    }
    beginReading();
  }

  @Override
  public void beginReading() {
    mark = Repairs.OF_TENSORS.mark();
  }

  @Override
  public void patch(Component operand, long word, int changedBits) {
    boolean isLeft = operand == Component.OPERAND_A;
    MemorySegment patched = isLeft ? left.patch(word, changedBits) : right.patch(word, changedBits);
    for (int i = 0; i < inputCount; i++) {
      if (inputs[i].component == operand && inputs[i].memory.isReadOnly()) {
        inputs[i].memory = patched;
      }
    }
  }

  /** Rows of blocks to verify; none if the backend compared what it read. */
  private static long tasks(SealedInput input) {
    SealGrid grid = input.grid;
    return input.inline ? 0 : grid.range().batch() * CheckBlock.down(grid.range().rows());
  }

  private void verify(long task, int worker, Workspace w) {
    int i = 0;
    long blockRow = task;
    while (blockRow >= tasks(inputs[i])) {
      blockRow -= tasks(inputs[i]);
      i++;
    }
    SealedInput input = inputs[i];
    SealGrid grid = input.grid;
    long across = CheckBlock.across(grid.range().columns());
    for (long block = blockRow * across; block < (blockRow + 1) * across; block++) {
      if (input.reads(block)) {
        execution.backend().scan(input.memory, grid, block, found[worker], w);
        if (!Seal.same(found[worker], 0, grid.sums(), (int) (Seal.SUMS * block))) {
          guard.inputDiffers(input, block);
        }
      }
    }
  }

  @Override
  public boolean copyAgain(Component operand) {
    return switch (operand) {
      case OPERAND_A -> {
        for (long task = 0; task < left.tasks(); task++) {
          left.prepare(task, found[0], workspace);
        }
        yield true;
      }
      case OPERAND_B -> right.packAgain(problem.b, workspace);
      case PACKED_B -> right.renew(problem.b, workspace);
      default -> false;
    };
  }

  @Override
  public void close() {
    left.close();
    right.close();
    output.close();
    workspace.close();
  }
}
