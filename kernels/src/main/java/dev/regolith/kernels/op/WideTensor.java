package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
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
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
  private final GemmProblem place = new GemmProblem();
  private final Output output;
  private @Nullable Arena arena;
  private @Nullable Tensor room;

  /** The tensor in whose place this is. */
  private @Nullable Tensor half;

  /** Its rows, one behind the other. */
  private @Nullable Tensor wide;

  /** The same as it lies: transposed, perhaps. */
  private @Nullable Tensor shown;

  private MemorySegment floats = MemorySegment.NULL;
  private MemorySegment repeated = MemorySegment.NULL;
  private MemorySegment sealed = MemorySegment.NULL;
  private @Nullable SealGrid seals;
  private Phase phase = Phase.CONVERT;
  private boolean widens;
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
    source = new HalfSource(backend, verify);
    output = new Output(operator, backend, execution.scrubber(), verify);
    found = new long[execution.team().threads()][Seal.SUMS];
  }

  /** A float32 tensor of the shape of a tensor of halves; its words are arbitrary. */
  Tensor open(Tensor tensor) {
    half = tensor;
    boolean changed = halves.set(tensor, tensor.storage().place());
    Tensor known = shown;
    if (!changed && known != null) {
      // What the last call left here is gone, and so is what any seal says of it.
      for (Watch watch : known.storage().watches()) {
        ((SealGrid) watch).inForce(false);
      }
      return known;
    }
    Tensor memory = atLeast(tensor.elements());
    for (Watch watch : memory.storage().watches()) {
      memory.storage().remove(watch);
    }
    Tensor rows = memory.strided(0, halves.shape(), rowMajor(halves.shape()));
    Tensor result = halves.isTurned() ? rows.transposed() : rows;
    wide = rows;
    shown = result;
    return result;
  }

  private static long[] rowMajor(long[] shape) {
    var strides = new long[shape.length];
    long stride = 1;
    for (int d = shape.length - 1; d >= 0; d--) {
      strides[d] = stride;
      stride *= Math.max(1, shape[d]);
    }
    return strides;
  }

  private Tensor atLeast(long elements) {
    Tensor memory = room;
    if (memory == null || memory.elements() < elements) {
      free();
      var fresh = Arena.ofShared();
      arena = fresh;
      memory = Tensor.zeros(fresh, DType.FLOAT32, elements);
      room = memory;
    }
    return memory;
  }

  private Tensor half() {
    return Objects.requireNonNull(half);
  }

  private Tensor wide() {
    return Objects.requireNonNull(wide);
  }

  // ---------------------------------------------------------------------------------- operands

  /** Widens the tensor; what was found in it on the way. */
  Status widen() {
    Tensor target = wide();
    source.open(half(), halves);
    floats = target.storage().segment();
    widens = true;
    var grid = (SealGrid) target.storage().watchOf(target.range(), SealGrid::new);
    seals = grid;
    sealed = floats;
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
      Status ofSource = source.verify(operator, execution.scrubber());
      worst = worse(worst, agrees ? ofSource : worse(ofSource, Status.CORRECTED));
      if (agrees && (ofSource == Status.DETECTED || Repairs.OF_TENSORS.noneSince(mark))) {
        grid.inForce(true);
        return worst;
      }
    }
    throw new IllegalStateException(
        "operands change faster than they can be widened: is another thread writing %s?"
            .formatted(half()));
  }

  private static Status worse(Status x, Status y) {
    return x.compareTo(y) > 0 ? x : y;
  }

  // ----------------------------------------------------------------------------------- results

  /**
   * Rounds what was written here into the tensor, and seals that as results are.
   *
   * @param good whether it is right; what is not is handed over all the same
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if that does not succeed
   */
  Status deliver(boolean good) {
    Tensor target = half();
    Storage storage = target.storage();
    floats = wide().storage().segment();
    widens = false;
    seals = null;
    if (!target.liesInWords()) {
      halves.set(target, storage.segmentToWrite(false));
      return round(good);
    }
    // A result of somebody else may begin within the word that this one ends with.
    synchronized (storage) {
      Status before = Status.CLEAN;
      if (verify && !target.fillsWords()) {
        before = execution.scrubber().scrub(operator, target);
      }
      output.open(storage, target.words(), false, place);
      boolean delivered = false;
      try {
        halves.set(target, place.c);
        seals = place.cSeals;
        sealed = place.c;
        before = worse(before, round(good));
        delivered = true;
      } finally {
        output.close(place, true, good && delivered, found[0], workspace);
      }
      return worse(before, output.found());
    }
  }

  /** Hands a result over of which some could not be computed: NaN. */
  void deliverLost() {
    MemorySegment lost = wide().storage().segmentToWrite(false);
    long elements = wide().elements();
    for (long i = 0; i < elements; i++) {
      lost.setAtIndex(ValueLayout.JAVA_FLOAT, i, Float.NaN);
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
      Status ofResult = execution.scrubber().scrub(operator, wide());
      worst = worse(worst, agrees ? ofResult : worse(ofResult, Status.CORRECTED));
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
    run(Phase.CONVERT, CheckBlock.down(halves.rows()));
    if (Probe.ON) {
      probe(point, widens);
    }
    SealGrid grid = seals;
    if (verify && grid != null) {
      run(Phase.SEAL, grid.range().batch() * CheckBlock.down(grid.range().rows()));
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
    team.run(tasks, this, team.canReach(half().storage().place()));
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
          convert(at, count, wideAt);
        } else {
          compare(at, count, wideAt, (long) Float.BYTES * PIECE * worker);
        }
      }
    }
  }

  private void convert(long at, int count, long wideAt) {
    if (widens) {
      backend.widen(halves.type(), halves.memory(), Short.BYTES * at, count, floats, wideAt);
    } else if (halves.columnStride() == 1) {
      backend.round(halves.type(), floats, wideAt, count, halves.memory(), Short.BYTES * at);
    } else {
      for (int i = 0; i < count; i++) {
        float x = floats.get(ValueLayout.JAVA_FLOAT, wideAt + (long) Float.BYTES * i);
        halves.put(at + i * halves.columnStride(), halves.type().round(x));
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
      } else {
        long stride = Short.BYTES * halves.columnStride();
        boolean together = halves.columnStride() == 1;
        Probe.reach(
            point,
            halves.memory(),
            Short.BYTES * halves.element(row),
            together ? 1 : columns,
            together ? Short.BYTES * columns : Short.BYTES,
            stride);
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
    place.c = MemorySegment.NULL;
    place.cSeals = null;
  }

  @Override
  public void close() {
    free();
    pieces.close();
    source.close();
    output.close();
  }

  private void free() {
    room = null;
    wide = null;
    shown = null;
    floats = MemorySegment.NULL;
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }
}
