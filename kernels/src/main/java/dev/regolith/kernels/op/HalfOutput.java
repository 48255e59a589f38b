package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The seals of a result of 16-bit floats while its halves are stored. Where these fill words, it is
 * an {@link Output} of those. Otherwise it gets no seal of its own, and seals of a larger cut lose
 * what its halves contribute, and get back what they do then: the other half of a word, which may
 * be anybody's, is not touched, nor vouched for.
 */
final class HalfOutput implements AutoCloseable {
  /** A larger cut, and what the halves contribute to it, before and after. */
  private static final class Suspended {
    final SealGrid grid;
    final long[] before;
    long[] after;

    Suspended(SealGrid grid, long[] before) {
      this.grid = grid;
      this.before = before;
      after = before;
    }
  }

  private final String operator;
  private final Scrubber scrubber;
  private final boolean verify;
  private final Output output;
  private final GemmProblem place = new GemmProblem();
  private final HalfRows halves;
  private final List<Suspended> suspended = new ArrayList<>();
  private boolean inWords;
  private boolean stored = true;
  private Status found = Status.CLEAN;

  /**
   * A result.
   *
   * @param halves will be where to store its rows
   */
  HalfOutput(String operator, Backend backend, Scrubber scrubber, boolean verify, HalfRows halves) {
    this.operator = operator;
    this.scrubber = scrubber;
    this.verify = verify;
    this.halves = halves;
    output = new Output(operator, backend, scrubber, verify);
  }

  /** Takes up a tensor. Whatever this throws, it is to be closed. */
  void open(Tensor target) {
    Storage storage = target.storage();
    found = Status.CLEAN;
    stored = true;
    inWords = target.fillsWords();
    place.cSeals = null;
    if (inWords) {
      output.open(storage, target.words(), false, place);
      halves.set(target, place.c);
      return;
    }
    halves.set(target, storage.segmentToWrite(false));
    for (Watch watch : storage.watches()) {
      if (watch.range().intersects(target.words())) {
        var grid = (SealGrid) watch;
        if (grid.isNested()) {
          suspend(grid);
        } else {
          storage.remove(grid);
        }
      }
    }
  }

  private void suspend(SealGrid grid) {
    long[] before = contribution(grid);
    while (verify && grid.inForce()) {
      // What changes between the two is in the sums still: it shows at the next reader.
      Status status = scrubber.scrub(operator, halves.memory(), grid);
      found = found.worse(status);
      if (status != Status.CORRECTED) {
        break;
      }
      before = contribution(grid);
    }
    grid.suspend();
    suspended.add(new Suspended(grid, before));
  }

  private long[] contribution(SealGrid grid) {
    var sums = new long[grid.sums().length];
    for (long row = 0; row < halves.rows(); row++) {
      long at = halves.element(row);
      for (long j = 0; j < halves.columns(); j++, at += halves.columnStride()) {
        grid.contribute(at, halves.get(at), sums);
      }
    }
    return sums;
  }

  /** Seals to be made of what was stored, a row of check blocks at a time; null if none are. */
  @Nullable SealGrid seals() {
    return place.cSeals;
  }

  /** What they are of. */
  MemorySegment sealed() {
    return place.c;
  }

  /** Notes that halves are about to be stored. */
  void storing() {
    stored = false;
  }

  /** Notes that all is stored, before it is compared: what changes after that, seals will show. */
  void stored() {
    for (Suspended each : suspended) {
      each.after = contribution(each.grid);
    }
    stored = true;
  }

  /** Ends what {@link #open} began. */
  void close(boolean computed, boolean good, long[] sums, Workspace workspace) {
    try {
      if (!stored) {
        stored(); // broken off, with some of them stored
      }
    } finally {
      for (Suspended each : suspended) {
        each.grid.resume(each.before, each.after);
      }
      suspended.clear();
    }
    if (inWords) {
      output.close(place, computed, good, sums, workspace);
      found = found.worse(output.found());
    }
  }

  /** What was found around it. */
  Status found() {
    return found;
  }

  /** Lets go of the caller's memory. */
  void forget() {
    output.forget();
    place.c = MemorySegment.NULL;
    place.cSeals = null;
  }

  @Override
  public void close() {
    output.close();
  }
}
