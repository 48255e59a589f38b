package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * C: where the kernels store it (in place, if it is native with unit column stride), the seals they
 * make of it, and the old C, which is kept until the result is verified.
 */
final class Output implements AutoCloseable {
  private static final int ATTEMPTS = 3;
  private static final Range NONE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final String operator;
  private final Backend backend;
  private final Scrubber scrubber;
  private final boolean verify;
  private final Scratch work = new Scratch();
  private final Scratch old = new Scratch();
  private final CallSeals workSeals = new CallSeals();
  private final CallSeals deliveredSeals = new CallSeals();
  private final CallSeals oldSealsOfCall = new CallSeals();
  private MemorySegment target = MemorySegment.NULL;
  private Range range = NONE;
  private boolean copied;
  private @Nullable SealGrid watch;
  private @Nullable SealGrid oldSeals;
  private MemorySegment oldCopy = MemorySegment.NULL;
  private @Nullable SealGrid ownSeals;
  private SealGrid[] suspended = {};
  private long[][] before = {};
  private int suspendedCount;
  private SealGrid[] parts = {};
  private int partCount;
  private Status found = Status.CLEAN;

  /**
   * A result.
   *
   * @param operator whose, for reports
   */
  Output(String operator, Backend backend, Scrubber scrubber, boolean verify) {
    this.operator = operator;
    this.backend = backend;
    this.scrubber = scrubber;
    this.verify = verify;
  }

  /**
   * Takes up the words of a tensor; until the close its seals, and those that overlap it, are
   * suspended.
   */
  void open(Storage storage, Range words, boolean readsOld, GemmProblem problem) {
    range = words;
    found = Status.CLEAN;
    watch = (SealGrid) storage.watchOf(range);
    target = storage.segmentToWrite(!readsOld && isAll(storage));
    copied = !(target.isNative() && range.hasUnitColumns());
    suspendOthers(storage);
    if (readsOld) {
      openOld(problem);
    } else {
      oldSeals = null;
    }
    if (watch == null && verify && (storage.sealsItself() || wasSealed())) {
      watch = (SealGrid) storage.watchOf(range, SealGrid::new);
    }
    if (watch != null) {
      watch.inForce(false);
    }
    ownSeals = verify && watch == null && !copied ? deliveredSeals.of(range) : null;
    SealGrid inPlace = watch == null ? ownSeals : watch;
    SealGrid grid = copied ? workSeals.ofCopy(range) : inPlace;
    Range stored = copied && grid != null ? grid.range() : range;
    problem.c = copied ? work.atLeast(4 * range.size()) : target;
    problem.cOffset = 4 * stored.offset();
    problem.cStride = 4 * stored.rowStride();
    problem.cBatchStride = 4 * stored.batchStride();
    problem.cSeals = verify ? grid : null;
  }

  /** Whether the result is all there is in its memory, and all that seals speak of. */
  private boolean isAll(Storage storage) {
    if (!range.isDense() || 4 * range.size() != storage.place().byteSize()) {
      return false;
    }
    for (Watch each : storage.watches()) {
      if (!range.covers(each.range())) {
        return false;
      }
    }
    return true;
  }

  /** Whether other seals in force, which end here, were of the words of C. */
  private boolean wasSealed() {
    for (int i = 0; i < partCount; i++) {
      if (parts[i].range().covers(range)) {
        return true;
      }
    }
    return false;
  }

  /** Whether seals of a larger cut, or of one across it, wait for what is written. */
  boolean hasSuspended() {
    return suspendedCount > 0;
  }

  /**
   * Seals of other cuts of C's memory. Those of parts of C end here, when what beta reads of them
   * was verified; those of a larger cut lose what C contributes to them and get it back at the
   * close, so that the words beside C stay under their seal.
   */
  private void suspendOthers(Storage storage) {
    suspendedCount = 0;
    partCount = 0;
    for (Watch each : storage.watches()) {
      if (each.equals(watch) || !each.range().intersects(range)) {
        continue;
      }
      var grid = (SealGrid) each;
      if (range.covers(grid.range()) || !grid.isNested()) {
        if (grid.inForce()) {
          parts = append(parts, partCount++, grid);
        }
        storage.remove(grid);
      } else {
        long[] contribution = takeOut(grid); // or an exception, and it is not suspended
        suspended = append(suspended, suspendedCount, grid);
        before = Arrays.copyOf(before, suspended.length);
        before[suspendedCount++] = contribution;
      }
    }
  }

  private static SealGrid[] append(SealGrid[] grids, int count, SealGrid grid) {
    SealGrid[] room = count < grids.length ? grids : Arrays.copyOf(grids, count + 4);
    room[count] = grid;
    return room;
  }

  /**
   * What C contributes before it is written, from words that were verified after they were read.
   */
  private long[] takeOut(SealGrid grid) {
    long[] contribution = grid.contribution(target, range);
    if (verify && grid.inForce()) {
      Status status = scrubber.scrub(operator, target, grid);
      if (status != Status.CLEAN) {
        note(status);
        contribution = grid.contribution(target, range);
      }
    }
    grid.suspend();
    return contribution;
  }

  private void note(Status status) {
    found = found.worse(status);
  }

  /** Whether the kernels store into a copy, row-major, that is delivered at the close. */
  boolean isCopied() {
    return copied;
  }

  /** What was found in memory around and under C, outside of the guard. */
  Status found() {
    return found;
  }

  /** Seals of C for the length of the call, where no others will watch over it; or null. */
  @Nullable SealGrid ownSeals() {
    return ownSeals;
  }

  /** When the old C has been kept: verifies the seals of parts of it; keeps it again if need be. */
  void verifyOldParts(long[] sums, Workspace workspace) {
    boolean again = false;
    for (int i = 0; i < partCount && verify && oldSeals != null; i++) {
      Status status = scrubber.scrub(operator, target, parts[i]);
      note(status);
      again |= status == Status.CORRECTED;
    }
    for (long task = 0; again && task < tasks(); task++) {
      keepOld(task, sums, workspace);
    }
  }

  private void openOld(GemmProblem problem) {
    SealGrid grid = oldSealsOfCall.ofCopy(range);
    boolean sealed = watch != null && watch.inForce();
    grid.inForce(sealed);
    if (watch != null && sealed && verify) {
      System.arraycopy(watch.sums(), 0, grid.sums(), 0, (int) (Seal.SUMS * grid.blocks()));
    }
    oldSeals = grid;
    oldCopy = old.atLeast(4 * range.size());
    problem.oldC = oldCopy;
    problem.oldCStride = 4 * grid.range().rowStride();
    problem.oldCBatchStride = 4 * grid.range().batchStride();
  }

  /** The seals of the kept old C, its producer's or of this call; null if beta is 0. */
  @Nullable SealGrid oldSeals() {
    return oldSeals;
  }

  /** Tasks of {@link #keepOld}: one per row of check blocks. */
  long tasks() {
    return oldSeals == null ? 0 : range.batch() * CheckBlock.down(range.rows());
  }

  /** Keeps a row of check blocks of the old C: what recomputation needs once C is overwritten. */
  void keepOld(long task, long[] sums, Workspace workspace) {
    SealGrid grid = oldSeals;
    if (grid == null) {
      return;
    }
    if (grid.inForce()) {
      // Sealed by its producer: verified against those seals after its last use.
      SealedCopy.copy(target, range, task, oldCopy, grid);
    } else {
      SealedCopy.make(backend, target, range, task, oldCopy, grid, verify, sums, workspace);
    }
  }

  /**
   * Brings the result to where it was asked for, and puts seals in force.
   *
   * @param computed whether there is a result, good or poisoned
   * @param good whether it is right
   */
  void close(
      GemmProblem problem, boolean computed, boolean good, long[] sums, Workspace workspace) {
    try {
      if (computed && copied) {
        deliver(problem, good, sums, workspace);
      }
      SealGrid grid = watch;
      if (computed && grid != null && verify) {
        if (copied) {
          SealGrid made = workSeals.ofCopy(range);
          System.arraycopy(made.sums(), 0, grid.sums(), 0, (int) (Seal.SUMS * grid.blocks()));
        }
        if (Probe.ON) {
          Probe.reach(ProbePoint.C_SEAL, grid.sums(), 0, (int) (Seal.SUMS * grid.blocks()));
        }
        grid.inForce(good);
      }
    } finally {
      putBackFrom(0, good);
    }
  }

  /** All of them, whatever one of them throws. */
  private void putBackFrom(int first, boolean good) {
    if (first < suspendedCount) {
      try {
        putBack(suspended[first], before[first], good);
      } finally {
        putBackFrom(first + 1, good);
      }
    }
  }

  /**
   * Gives a larger cut what C contributes now, from words that are verified after they were read.
   */
  private void putBack(SealGrid grid, long[] contribution, boolean good) {
    long[] after = grid.contribution(target, range);
    try {
      SealGrid own = watch == null ? ownSeals : watch;
      if (good && verify && own != null && scrubber.scrub(operator, target, own) != Status.CLEAN) {
        after = grid.contribution(target, range);
      }
    } finally {
      grid.resume(contribution, after);
    }
  }

  private void deliver(GemmProblem problem, boolean good, long[] sums, Workspace workspace) {
    SealGrid wanted = workSeals.ofCopy(range);
    SealGrid delivered = deliveredSeals.of(range);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      for (long matrix = 0; matrix < range.batch(); matrix++) {
        long from = matrix * problem.cBatchStride;
        Staging.scatter(problem.c, from, problem.cStride, target, range, matrix, 0, range.rows());
      }
      if (!verify || !good || same(delivered, wanted, sums, workspace)) {
        return;
      }
      note(scrubber.scrub(operator, problem.c, wanted));
    }
    throw scrubber.undelivered(operator);
  }

  private boolean same(SealGrid delivered, SealGrid wanted, long[] sums, Workspace workspace) {
    boolean same = true;
    for (int block = 0; block < delivered.blocks(); block++) {
      backend.scan(target, delivered, block, sums, workspace);
      same &= Seal.same(sums, 0, wanted.sums(), Seal.SUMS * block);
    }
    return same;
  }

  /** Lets go of the caller's memory. */
  void forget() {
    target = MemorySegment.NULL;
    watch = null;
    suspendedCount = 0;
    partCount = 0;
  }

  @Override
  public void close() {
    work.close();
    old.close();
  }
}
