package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.RowProblem;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.RowGuard;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One call of a row operator on its way; reused from call to call by one thread at a time.
 *
 * <p>A task is a few rows of check blocks ("units"). Its worker makes the inputs ready, computes
 * the rows, seals what lies in memory then, computes every row a second time and compares bits, and
 * holds the inputs against their seals, all while the rows are in a cache. What disagrees is done
 * again; from the second time on, it is the scalar twin that computes what is compared.
 */
final class RowCall implements Team.Tasks, Calls.Call {
  private static final int ATTEMPTS = 3;
  private static final int DISTURBANCES = 100;

  /** Elements of a task, about: all its operands fit into a second-level cache. */
  private static final long TASK = 1 << 15;

  private enum Phase {
    ROWS,
    FOREIGN_SEALS
  }

  /** What one worker needs. */
  private static final class Worker {
    final RowKernels kernels;
    final RowKernels twin;
    final Scratch second = new Scratch();
    final long[] found = new long[Seal.SUMS];
    MemorySegment repeated = MemorySegment.NULL;
    long[] sums = {};

    Worker(RowKernels kernels, RowKernels twin) {
      this.kernels = kernels;
      this.twin = twin;
    }
  }

  /** The arguments; set before a call. */
  final RowOperands operands = new RowOperands();

  private final Execution execution;
  private final boolean verify;
  private final Workspace workspace;
  private final Worker[] workers;
  private final RowGuard guard;
  private final RowProblem problem = new RowProblem();
  private final RowInput x;
  private final RowInput y;
  private final RowInput weight;
  private final RowInput bias;
  private final RowOutput out;
  private final RowOutput sum;
  private final ForeignSeals foreign = new ForeignSeals();
  private final ResidentRowCall resident;
  private Phase phase = Phase.ROWS;
  private boolean together;
  private boolean again;
  private long batch;
  private long rows;
  private long down;
  private long unitsOfTask;

  RowCall(Execution execution) {
    this.execution = execution;
    var backend = execution.backend();
    verify = execution.protection() != Protection.OFF;
    workspace = backend.newWorkspace();
    workers = new Worker[execution.team().threads()];
    Arrays.setAll(
        workers, i -> new Worker(backend.newRowKernels(), execution.twin().newRowKernels()));
    guard = new RowGuard(backend, execution.log(), execution.protection(), execution.probation());
    x = new RowInput(Component.OPERAND_A, backend, verify);
    y = new RowInput(Component.OPERAND_B, backend, verify);
    weight = new RowInput(Component.ROW_PARAMETER, backend, verify);
    bias = new RowInput(Component.ROW_PARAMETER, backend, verify);
    out = new RowOutput(backend, execution.scrubber(), verify);
    sum = new RowOutput(backend, execution.scrubber(), verify);
    resident = new ResidentRowCall(backend, verify);
  }

  /** Computes what the operands say, in float32; they were checked, and there are some. */
  Status run() {
    Range range = target().range();
    batch = range.batch();
    rows = range.rows();
    down = CheckBlock.down(rows);
    problem.operator = operands.operator;
    problem.columns = (int) range.columns();
    problem.scalar = operands.scalar;
    if (verify) {
      guard.open(operands.operator.title());
    }
    if (resident.run(operands, guard, workspace)) {
      return verify ? settled() : Status.CLEAN;
    }
    try {
      return computeAndDeliver();
    } finally {
      forget();
    }
  }

  /** What the last result was accepted on. */
  EvidenceLevel evidenceLevel() {
    return guard.evidenceLevel();
  }

  /** Ends a verified call. */
  private Status settled() {
    guard.checked(batch * rows);
    return guard.close();
  }

  private Tensor target() {
    return Objects.requireNonNull(operands.out);
  }

  private Status computeAndDeliver() {
    boolean computed = false;
    boolean good = false;
    Status found = Status.CLEAN;
    Status status = Status.CLEAN;
    try {
      found = openInputs();
      out.open(target());
      if (operands.sum != null) {
        sum.open(operands.sum);
      }
      foreign.dropSuspended();
      cut();
      computed = true;
      status = verify ? computeAndVerify() : compute();
      good = status != Status.DETECTED;
    } finally {
      // Also what could not be put right is handed over: poisoned, rather than the old values.
      found = found.worse(out.close(computed, good, workers[0].found, workspace));
      found = found.worse(sum.close(computed, good, workers[0].found, workspace));
    }
    return status.worse(found);
  }

  // ------------------------------------------------------------------------------------ operands

  private Status openInputs() {
    foreign.clear();
    together = true;
    Status found = open(x, operands.x).worse(open(y, operands.y));
    found = found.worse(open(weight, operands.weight));
    found = found.worse(open(bias, operands.bias));
    together &= isReachable(operands.out) && isReachable(operands.sum);
    if (!together) {
      Announcement.confined();
    }
    x.showRows(problem.x);
    if (operands.y != null) {
      y.showRows(problem.y);
    }
    if (operands.operator.isRope()) {
      long period = operands.sequence == -3 ? target().size(-3) : 0;
      weight.showPositions(problem.weight, operands.first, period);
      bias.showPositions(problem.bias, operands.first, period);
      problem.pairs = (int) Objects.requireNonNull(operands.weight).size(-1);
      return found;
    }
    if (operands.weight != null) {
      weight.showOneRow(problem.weight);
    }
    if (operands.bias != null) {
      bias.showOneRow(problem.bias);
    }
    return found;
  }

  private boolean isReachable(@Nullable Tensor tensor) {
    return tensor == null || execution.team().canReach(tensor.storage().place());
  }

  private Status open(RowInput input, @Nullable Tensor tensor) {
    if (tensor == null) {
      return Status.CLEAN;
    }
    together &= isReachable(tensor);
    boolean overwritten =
        RowArguments.isSame(tensor, operands.out) || RowArguments.isSame(tensor, operands.sum);
    Status found = Status.CLEAN;
    if (verify && overwritten) {
      // Seals of other cuts of this memory cannot be asked any more once it is overwritten.
      found = foreign.scrub(tensor, execution.scrubber(), operands.operator.title());
    } else if (verify) {
      foreign.collect(tensor, input.component());
    }
    input.open(tensor, overwritten);
    return found;
  }

  private void cut() {
    long units = batch * down;
    long size = Math.min(rows, CheckBlock.ROWS) * problem.columns;
    long even = Math.ceilDiv(units, 4L * workers.length);
    unitsOfTask = Math.clamp(TASK / size, 1, Math.max(1, even));
    int sums = Math.toIntExact(2 * Seal.SUMS * unitsOfTask * CheckBlock.across(problem.columns));
    for (Worker worker : workers) {
      worker.repeated = worker.second.atLeast(2 * stride());
      worker.sums = worker.sums.length < sums ? new long[sums] : worker.sums;
    }
  }

  /** From a row that is computed a second time to the sum that goes with it. */
  private long stride() {
    return Math.ceilDiv(4L * problem.columns, Tensor.ALIGNMENT) * Tensor.ALIGNMENT;
  }

  // ----------------------------------------------------------------------------------- the phases

  private Status compute() {
    again = false;
    takeShared();
    runRows();
    return Status.CLEAN;
  }

  private Status computeAndVerify() {
    boolean settled = false;
    for (int attempt = 0; attempt < DISTURBANCES && !settled && !guard.isLost(); attempt++) {
      // Whoever puts a word back may do so after somebody else here read it: then all is done
      // again. So it is after damage that only seals of other cuts of an input show.
      long mark = Repairs.OF_TENSORS.mark();
      again = attempt > 0;
      takeShared();
      runRows();
      phase = Phase.FOREIGN_SEALS;
      execution.team().run(foreign.tasks(), this, together);
      settled = Repairs.OF_TENSORS.noneSince(mark);
    }
    if (!settled && !guard.isLost()) {
      guard.lose();
    }
    for (long unit = 0; guard.isLost() && unit < batch * down; unit++) {
      poison(unit);
    }
    return settled();
  }

  private void runRows() {
    phase = Phase.ROWS;
    execution.team().run(Math.ceilDiv(batch * down, unitsOfTask), this, together);
  }

  @Override
  public void perform(long task, int worker) {
    Workspace w = worker == 0 ? workspace : execution.helpers().get(worker - 1);
    if (phase == Phase.FOREIGN_SEALS) {
      foreign.verify(task, execution.backend(), guard, workers[worker].found, w);
      return;
    }
    long first = task * unitsOfTask;
    long end = Math.min(batch * down, first + unitsOfTask);
    if (verify) {
      settle(first, end, workers[worker], w);
    } else {
      takeRows(first, end, true, workers[worker], w);
      computeRows(first, end, workers[worker]);
    }
  }

  // --------------------------------------------------------------------------------- the rows

  /** Computes units until they convince. */
  private void settle(long first, long end, Worker worker, Workspace w) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      takeRows(first, end, attempt == 0, worker, w);
      computeRows(first, end, worker);
      for (long unit = first; unit < end; unit++) {
        out.seal(unit, worker.sums, sumsAt(unit - first, 0), worker.found, w);
        sum.seal(unit, worker.sums, sumsAt(unit - first, 1), worker.found, w);
      }
      RowKernels second = attempt == 0 ? worker.kernels : worker.twin;
      boolean same = true;
      for (long unit = first; unit < end; unit++) {
        same &= repeats(unit, worker, second);
      }
      boolean intact = areInputsIntact(first, end, worker, w);
      if (same && intact) {
        publish(first, end, worker);
        return;
      }
      if (!note(first, end, same, intact, attempt)) {
        break;
      }
    }
    if (guard.mends()) {
      guard.lose();
    }
  }

  /** Notes a disagreement; whether to try again. */
  private boolean note(long first, long end, boolean same, boolean intact, int attempt) {
    long row = first % down * CheckBlock.ROWS;
    boolean oneMatrix = first / down == (end - 1) / down;
    long height = oneMatrix ? Math.min(rows, end % down * CheckBlock.ROWS) - row : rows;
    guard.doubt(
        new Block(
            first / down,
            oneMatrix ? row : 0,
            oneMatrix && height <= 0 ? rows - row : height,
            0,
            problem.columns));
    if (!same && intact) {
      guard.found(Component.ARITHMETIC);
    }
    if (attempt > 0) {
      guard.twin();
    }
    return guard.mends() && !guard.isLost();
  }

  private int sumsAt(long unit, int output) {
    return (int) (Seal.SUMS * CheckBlock.across(problem.columns) * (2 * unit + output));
  }

  private void publish(long first, long end, Worker worker) {
    for (long unit = first; unit < end; unit++) {
      out.publish(unit, worker.sums, sumsAt(unit - first, 0));
      sum.publish(unit, worker.sums, sumsAt(unit - first, 1));
    }
  }

  private void takeShared() {
    take(weight, operands.weight);
    take(bias, operands.bias);
  }

  private void take(RowInput input, @Nullable Tensor tensor) {
    if (tensor == null) {
      return;
    }
    long from = operands.operator.isRope() ? operands.first / CheckBlock.ROWS : 0;
    long end = operands.operator.isRope() ? endOfTable() : input.units();
    for (long unit = from; unit < end; unit++) {
      input.take(unit, true, again, workers[0].found, workspace);
    }
  }

  private long endOfTable() {
    return CheckBlock.down(operands.first + target().size(operands.sequence));
  }

  private void takeRows(long first, long end, boolean fresh, Worker worker, Workspace w) {
    for (long unit = first; unit < end; unit++) {
      x.take(unit, fresh, again, worker.found, w);
      if (operands.y != null) {
        y.take(unit, fresh, again, worker.found, w);
      }
    }
  }

  private void computeRows(long first, long end, Worker worker) {
    for (long unit = first; unit < end; unit++) {
      long matrix = unit / down;
      long from = unit % down * CheckBlock.ROWS;
      long to = Math.min(rows, from + CheckBlock.ROWS);
      for (long row = from; row < to; row++) {
        long sumAt = sum.isPresent() ? sum.at(matrix, row) : 0;
        worker.kernels.row(
            problem, matrix, row, out.memory(), out.at(matrix, row), sum.memory(), sumAt);
      }
      if (Probe.ON) {
        out.probe(matrix, from, to - from, problem.columns);
        sum.probe(matrix, from, to - from, problem.columns);
      }
    }
  }

  /** Whether the rows of a unit come out the same a second time. */
  private boolean repeats(long unit, Worker worker, RowKernels second) {
    MemorySegment repeated = worker.repeated;
    long matrix = unit / down;
    long from = unit % down * CheckBlock.ROWS;
    boolean same = true;
    for (long row = from; row < Math.min(rows, from + CheckBlock.ROWS); row++) {
      second.row(problem, matrix, row, repeated, 0, repeated, stride());
      if (Probe.ON) {
        Probe.reach(ProbePoint.ROW_REPEATED, repeated, 0, 1, 4L * problem.columns, 0);
      }
      same &= out.holds(matrix, row, repeated, 0, problem.columns);
      same &= !sum.isPresent() || sum.holds(matrix, row, repeated, stride(), problem.columns);
    }
    return same;
  }

  private boolean areInputsIntact(long first, long end, Worker worker, Workspace w) {
    boolean intact = true;
    for (long unit = first; unit < end; unit++) {
      intact &= x.isIntact(unit, guard, worker.found, w);
      intact &= operands.y == null || y.isIntact(unit, guard, worker.found, w);
    }
    long from = 0;
    long to = 1;
    if (operands.operator.isRope()) {
      from = operands.first / CheckBlock.ROWS;
      to = endOfTable();
      long last = (end - 1) / down;
      long period = operands.sequence == -3 ? target().size(-3) : 0;
      if (period > 0 && first / down % period <= last % period) {
        from = (operands.first + first / down % period) / CheckBlock.ROWS;
        to = CheckBlock.down(operands.first + last % period + 1);
      } else if (period == 0 && first / down == last) {
        from = (operands.first + first % down * CheckBlock.ROWS) / CheckBlock.ROWS;
        to = Math.min(to, from + end - first + 1);
      }
    }
    for (long unit = from; unit < to; unit++) {
      intact &= operands.weight == null || weight.isIntact(unit, guard, worker.found, w);
      intact &= operands.bias == null || bias.isIntact(unit, guard, worker.found, w);
    }
    return intact;
  }

  private void poison(long unit) {
    long from = unit % down * CheckBlock.ROWS;
    for (long row = from; row < Math.min(rows, from + CheckBlock.ROWS); row++) {
      out.poison(unit / down, row, problem.columns);
      sum.poison(unit / down, row, problem.columns);
    }
  }

  private void forget() {
    x.forget();
    y.forget();
    weight.forget();
    bias.forget();
    out.forget();
    sum.forget();
    foreign.clear();
    problem.x.clear();
    problem.y.clear();
    problem.weight.clear();
    problem.bias.clear();
  }

  @Override
  public void close() {
    x.close();
    y.close();
    weight.close();
    bias.close();
    out.close();
    sum.close();
    for (Worker worker : workers) {
      worker.second.close();
    }
  }
}
