package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.guard.Scrubber;
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
 * C: where the kernels store it (in place, if it is native with unit column stride), the seals they
 * make of it, and the old C, which is kept until the result is verified.
 */
final class Output implements AutoCloseable {
  private static final int ATTEMPTS = 3;
  private static final Range NONE = new Range(0, 0, 0, 0, 0, 0, 0);

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
  private SealGrid[] suspended = {};
  private int suspendedCount;

  Output(Backend backend, Scrubber scrubber, boolean verify) {
    this.backend = backend;
    this.scrubber = scrubber;
    this.verify = verify;
  }

  /**
   * Takes up a tensor. From here to {@link #close(GemmProblem, boolean, long[], Workspace)} its
   * seals are suspended.
   */
  void open(Tensor c, boolean readsOld, GemmProblem problem) {
    Storage storage = c.storage();
    target = storage.segment();
    range = c.range();
    copied = !(target.isNative() && range.hasUnitColumns());
    watch = (SealGrid) storage.watchOf(range);
    suspendOthers(storage);
    if (readsOld) {
      openOld(problem);
    } else {
      oldSeals = null;
    }
    if (watch == null && verify && storage.sealsItself()) {
      var grid = new SealGrid(range);
      storage.add(grid);
      watch = grid;
    }
    if (watch != null) {
      watch.inForce(false);
    }
    SealGrid grid = copied ? workSeals.ofCopy(range) : watch;
    Range stored = copied && grid != null ? grid.range() : range;
    problem.c = copied ? work.atLeast(4 * range.size()) : target;
    problem.cOffset = 4 * stored.offset();
    problem.cStride = 4 * stored.rowStride();
    problem.cBatchStride = 4 * stored.batchStride();
    problem.cSeals = verify ? grid : null;
  }

  /**
   * Seals of other cuts of C's memory: those of parts of C end here; those of a whole buffer, where
   * C is a part of it, cover words that are about to change and words that are not, so they are
   * verified now, and made anew afterwards.
   */
  private void suspendOthers(Storage storage) {
    suspendedCount = 0;
    for (Watch each : storage.watches()) {
      if (each.inForce() && !each.equals(watch) && each.range().intersects(range)) {
        var grid = (SealGrid) each;
        if (range.covers(grid.range())) {
          grid.inForce(false);
          storage.remove(grid);
          continue;
        }
        if (verify) {
          scrubber.scrub("gemm", target, grid);
        }
        grid.inForce(false);
        if (suspendedCount == suspended.length) {
          suspended = Arrays.copyOf(suspended, suspendedCount + 4);
        }
        suspended[suspendedCount++] = grid;
      }
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
  void keepOld(long task, long[] found, Workspace workspace) {
    SealGrid grid = oldSeals;
    if (grid == null) {
      return;
    }
    if (grid.inForce()) {
      // Sealed by its producer: verified against those seals after its last use.
      SealedCopy.copy(target, range, task, oldCopy, grid);
    } else {
      SealedCopy.make(backend, target, range, task, oldCopy, grid, verify, found, workspace);
    }
  }

  /** Brings the result to where it was asked for, and puts its seals in force if it is good. */
  void close(GemmProblem problem, boolean good, long[] found, Workspace workspace) {
    if (copied) {
      deliver(problem, found, workspace);
    }
    SealGrid grid = watch;
    if (grid != null && verify) {
      if (copied) {
        SealGrid made = workSeals.ofCopy(range);
        System.arraycopy(made.sums(), 0, grid.sums(), 0, (int) (Seal.SUMS * grid.blocks()));
      }
      if (Probe.ON) {
        Probe.reach(ProbePoint.C_SEAL, grid.sums(), 0, (int) (Seal.SUMS * grid.blocks()));
      }
      grid.inForce(good);
    }
    for (int i = 0; i < suspendedCount && verify; i++) {
      suspended[i].sealAll(target);
    }
  }

  private void deliver(GemmProblem problem, long[] found, Workspace workspace) {
    SealGrid wanted = workSeals.ofCopy(range);
    SealGrid delivered = deliveredSeals.of(range);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      for (long matrix = 0; matrix < range.batch(); matrix++) {
        long from = matrix * problem.cBatchStride;
        Staging.scatter(problem.c, from, problem.cStride, target, range, matrix, 0, range.rows());
      }
      boolean same = true;
      for (int block = 0; verify && block < delivered.blocks(); block++) {
        backend.scan(target, delivered, block, found, workspace);
        same &= Seal.same(found, 0, wanted.sums(), Seal.SUMS * block);
      }
      if (same) {
        return;
      }
    }
  }

  /** Lets go of the caller's memory. */
  void forget() {
    target = MemorySegment.NULL;
    watch = null;
  }

  @Override
  public void close() {
    work.close();
    old.close();
  }
}
