package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A float32 tensor in the place of one of 16-bit floats: what an operator reads is widened into it,
 * what an operator wrote into it is rounded. Memory is kept from call to call.
 *
 * <p><b>Protection.</b> What was converted is sealed, and after that compared with what it was made
 * from: a word that was wrong when it was sealed still differs then, and one that changes later is
 * put back by its seal, like any operand's or result's.
 */
final class WideTensor implements Team.Tasks, AutoCloseable {
  private static final int ATTEMPTS = 100;

  /** Elements that are converted at a time: they stay in a first-level cache. */
  private static final int PIECE = 2048;

  /** Shapes that are remembered: more than a layer has. */
  private static final int FORMS = 8;

  /**
   * A tensor over the memory.
   *
   * @param turned whether its rows are the columns of what it is in the place of
   * @param rows its rows, one behind the other
   * @param shown the same in the order of what it is in the place of
   */
  private record Form(boolean turned, Tensor rows, Tensor shown) {
    static final Form NONE = of(MemorySegment.NULL, false, new long[] {0});

    static Form of(MemorySegment memory, boolean turned, long[] shape) {
      Tensor rows = Tensor.scratch(memory, DType.FLOAT32, shape);
      return new Form(turned, rows, turned ? rows.transposed() : rows);
    }

    boolean is(HalfRows halves) {
      boolean same = turned == halves.isTurned() && rows.rank() == halves.shape().length;
      for (int d = 0; same && d < rows.rank(); d++) {
        same = rows.size(d) == halves.shape()[d];
      }
      return same;
    }
  }

  private enum Phase {
    PREPARE,
    CONVERT,
    SEAL,
    COMPARE
  }

  private final String operator;
  private final Execution execution;
  private final Backend backend;
  private final boolean verify;
  private final Workspace workspace;
  private final Scratch pieces = new Scratch();
  private final long[][] found;
  private final HalfRows halves = new HalfRows();
  private final HalfSource source;
  private final HalfOutput output;
  private final Scratch room = new Scratch();

  /** Shapes that were met here since the memory grew. */
  private final Form[] forms = new Form[FORMS];

  private int met;
  private long allocations;

  /** The tensor in whose place this is. */
  private @Nullable Tensor half;

  private Form form = Form.NONE;
  private MemorySegment floats = MemorySegment.NULL;
  private MemorySegment repeated = MemorySegment.NULL;
  private MemorySegment sealed = MemorySegment.NULL;
  private @Nullable SealGrid seals;
  private Phase phase = Phase.CONVERT;
  private boolean widens;
  private boolean cutAsResult;
  private volatile boolean torn;

  /**
   * Room for a tensor.
   *
   * @param operator whose, for reports
   * @param workspace of the calling thread
   */
  WideTensor(String operator, Execution execution, Workspace workspace) {
    this.operator = operator;
    this.execution = execution;
    this.workspace = workspace;
    backend = execution.backend();
    verify = execution.protection() != Protection.OFF;
    source = new HalfSource(operator, backend, execution.scrubber(), verify);
    output = new HalfOutput(operator, backend, execution.scrubber(), verify, halves);
    Arrays.fill(forms, Form.NONE);
    found = new long[execution.team().threads()][Seal.SUMS];
  }

  /**
   * A float32 tensor of the shape of a tensor of halves; its words are arbitrary.
   *
   * @param isResult whether it will be written
   */
  Tensor open(Tensor tensor, boolean isResult) {
    half = tensor;
    cutAsResult = isResult;
    halves.set(tensor, tensor.storage().place());
    form = form(Float.BYTES * tensor.elements());
    // What the last call left here is gone, and so is what any seal says of it.
    for (Watch watch : form.rows.storage().watches()) {
      ((SealGrid) watch).inForce(false);
    }
    return form.shown;
  }

  private Form form(long bytes) {
    MemorySegment memory = room.atLeast(bytes);
    if (room.allocations() != allocations) {
      allocations = room.allocations();
      Arrays.fill(forms, Form.NONE);
      floats = memory;
    }
    for (Form known : forms) {
      if (known.is(halves)) {
        return known;
      }
    }
    Form fresh = Form.of(floats, halves.isTurned(), halves.shape());
    forms[met] = fresh;
    met = (met + 1) % FORMS;
    return fresh;
  }

  private Tensor half() {
    return Objects.requireNonNull(half);
  }

  // ---------------------------------------------------------------------------------- operands

  /** Widens the tensor; what was found in it on the way. */
  Status widen() {
    source.open(half(), halves);
    widens = true;
    sealed = floats;
    // An old result is sealed as its operator will seal the new one.
    Tensor cut = cutAsResult ? form.shown : form.rows;
    var grid = (SealGrid) cut.storage().watchOf(cut.range(), SealGrid::new);
    seals = grid;
    Status worst = Status.CLEAN;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      // What is put back in the source was read before that, and is read again.
      long mark = Repairs.OF_TENSORS.mark();
      run(Phase.PREPARE, source.tasks());
      convert(ProbePoint.HALVES_WIDENED);
      if (!verify) {
        return worst;
      }
      boolean agrees = agrees();
      Status ofSource = source.verify();
      worst = worst.worse(agrees ? ofSource : ofSource.worse(Status.CORRECTED));
      boolean asRead = ofSource == Status.CLEAN && Repairs.OF_TENSORS.noneSince(mark);
      if (agrees && (asRead || ofSource == Status.DETECTED)) {
        grid.inForce(true);
        return worst;
      }
    }
    throw new IllegalStateException(
        "operands change faster than they can be widened: is another thread writing %s?"
            .formatted(half()));
  }

  // ----------------------------------------------------------------------------------- results

  /**
   * Rounds what was written here into the tensor, and seals that as results are.
   *
   * @param good whether it is right; what is not is handed over all the same
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if that does not succeed
   */
  Status deliver(boolean good) {
    widens = false;
    boolean computed = false;
    boolean right = false;
    Status worst;
    try {
      output.open(half());
      seals = output.seals();
      sealed = output.sealed();
      computed = true;
      worst = round(good);
      right = good && worst != Status.DETECTED;
    } finally {
      output.close(computed, right, found[0], workspace);
    }
    return worst.worse(output.found());
  }

  /** Hands a result over of which some could not be computed: NaN. */
  void deliverLost() {
    for (long i = 0; i < half().elements(); i++) {
      floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, Float.NaN);
    }
    var _ = deliver(false);
  }

  private Status round(boolean good) {
    Status worst = Status.CLEAN;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      convert(ProbePoint.HALVES_ROUNDED);
      if (!verify || !good) {
        return worst;
      }
      boolean agrees = agrees();
      Status ofResult = execution.scrubber().scrub(operator, form.rows);
      worst = worst.worse(agrees ? ofResult : ofResult.worse(Status.CORRECTED));
      if (agrees && ofResult != Status.CORRECTED) {
        return worst;
      }
    }
    throw execution.scrubber().undelivered(operator);
  }

  // -------------------------------------------------------------------------------------- rows

  /** Converts all rows, and seals what they are converted to. */
  private void convert(ProbePoint point) {
    if (Probe.ON && widens) {
      probe(ProbePoint.HALVES_READ, false);
    }
    if (!widens) {
      output.storing();
    }
    run(Phase.CONVERT, CheckBlock.down(halves.rows()));
    if (Probe.ON) {
      probe(point, widens);
    }
    SealGrid grid = seals;
    if (verify && grid != null) {
      run(Phase.SEAL, grid.range().batch() * CheckBlock.down(grid.range().rows()));
    }
    if (!widens) {
      output.stored();
    }
  }

  /** Whether all rows, converted once more, are what they were converted to; or it is reported. */
  private boolean agrees() {
    torn = widens && source.wasTorn();
    run(Phase.COMPARE, CheckBlock.down(halves.rows()));
    if (torn) {
      execution.scrubber().readAgain(operator, Component.HALVES);
    }
    return !torn;
  }

  private void run(Phase next, long tasks) {
    Team team = execution.team();
    phase = next;
    repeated = pieces.atLeast((long) Float.BYTES * PIECE * team.threads());
    boolean together = team.canReach(half().storage().place());
    if (!together) {
      Announcement.confined();
    }
    team.run(tasks, this, together);
  }

  @Override
  public void perform(long task, int worker) {
    Workspace w = worker == 0 ? workspace : execution.helpers().get(worker - 1);
    if (phase == Phase.PREPARE) {
      source.prepare(task, found[worker], w);
      return;
    }
    if (phase == Phase.SEAL) {
      SealGrid grid = Objects.requireNonNull(seals);
      SealedCopy.seal(backend, sealed, grid, task, found[worker], w);
      return;
    }
    long columns = halves.columns();
    long end = Math.min(halves.rows(), (task + 1) * CheckBlock.ROWS);
    for (long row = task * CheckBlock.ROWS; row < end; row++) {
      long element = halves.element(row);
      for (long column = 0; column < columns; column += PIECE) {
        int count = (int) Math.min(PIECE, columns - column);
        long at = element + column * halves.columnStride();
        long wideAt = Float.BYTES * (row * columns + column);
        if (phase == Phase.CONVERT) {
          convert(at, count, wideAt, (long) Float.BYTES * PIECE * worker);
        } else {
          compare(at, count, wideAt, (long) Float.BYTES * PIECE * worker);
        }
      }
    }
  }

  private void convert(long at, int count, long wideAt, long room) {
    if (widens) {
      backend.widen(halves.type(), halves.memory(), Short.BYTES * at, count, floats, wideAt);
    } else if (halves.columnStride() == 1) {
      backend.round(halves.type(), floats, wideAt, count, halves.memory(), Short.BYTES * at);
    } else {
      backend.round(halves.type(), floats, wideAt, count, repeated, room);
      for (int i = 0; i < count; i++) {
        short bits = repeated.get(ValueLayout.JAVA_SHORT, room + (long) Short.BYTES * i);
        halves.put(at + i * halves.columnStride(), bits);
      }
    }
  }

  private void compare(long at, int count, long wideAt, long room) {
    boolean same;
    if (widens) {
      backend.widen(halves.type(), halves.memory(), Short.BYTES * at, count, repeated, room);
      same = isSame(floats, wideAt, room, (long) Float.BYTES * count);
    } else {
      backend.round(halves.type(), floats, wideAt, count, repeated, room);
      same =
          halves.columnStride() == 1
              ? isSame(halves.memory(), Short.BYTES * at, room, (long) Short.BYTES * count)
              : isSameApart(at, count, room);
    }
    if (!same) {
      torn = true;
    }
  }

  private boolean isSame(MemorySegment memory, long at, long room, long bytes) {
    return MemorySegment.mismatch(memory, at, at + bytes, repeated, room, room + bytes) < 0;
  }

  private boolean isSameApart(long at, int count, long room) {
    boolean same = true;
    for (int i = 0; i < count; i++) {
      short again = repeated.get(ValueLayout.JAVA_SHORT, room + (long) Short.BYTES * i);
      same &= again == halves.get(at + i * halves.columnStride());
    }
    return same;
  }

  private void probe(ProbePoint point, boolean ofFloats) {
    long columns = halves.columns();
    for (long row = 0; row < halves.rows(); row++) {
      if (ofFloats) {
        long bytes = Float.BYTES * columns;
        Probe.reach(point, floats, row * bytes, 1, bytes, 0);
      } else if (halves.columnStride() == 1) {
        long words = columns / 2;
        long at = Short.BYTES * halves.element(row);
        Probe.reach(point, halves.memory(), at, 1, Integer.BYTES * words, 0);
      }
    }
  }

  /** Lets go of the caller's memory. */
  void forget() {
    half = null;
    halves.forget();
    source.forget();
    output.forget();
    seals = null;
    sealed = MemorySegment.NULL;
  }

  @Override
  public void close() {
    room.close();
    pieces.close();
    source.close();
    output.close();
  }
}
