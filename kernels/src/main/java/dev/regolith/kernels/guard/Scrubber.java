package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Reads sealed memory, and puts back what changed since it was sealed. Thread-safe. */
public final class Scrubber {
  private final Backend backend;
  private final FaultLog log;
  private final boolean mends;
  private final Workspace workspace;
  private final long[] found = new long[Seal.SUMS];

  /** A scrubber of a session. */
  public Scrubber(Backend backend, FaultLog log, Protection protection) {
    this.backend = backend;
    this.log = log;
    this.mends = protection != Protection.DETECT;
    this.workspace = backend.newWorkspace();
  }

  /**
   * Verifies every block of a grid.
   *
   * @throws UncorrectableFaultException if more is damaged than a seal can undo
   */
  public synchronized Status scrub(String operator, MemorySegment memory, SealGrid grid) {
    Incident incident = null;
    boolean lost = false;
    for (int block = 0; block < grid.blocks(); block++) {
      backend.scan(memory, grid, block, found, workspace);
      if (!Seal.same(found, 0, grid.sums(), Seal.SUMS * block)) {
        incident = incident == null ? new Incident(operator) : incident;
        lost |= !mend(memory, grid, block, incident);
      }
    }
    return close(incident, lost);
  }

  /** Verifies every seal in force that a tensor has a word under; the worst of what was found. */
  public Status scrub(String operator, Tensor tensor) {
    Status worst = Status.CLEAN;
    for (Watch watch : tensor.storage().watches()) {
      if (watch.inForce() && tensor.touches(watch.range())) {
        Status found = scrub(operator, tensor.storage().segment(), (SealGrid) watch);
        worst = found.compareTo(worst) > 0 ? found : worst;
      }
    }
    return worst;
  }

  private boolean mend(MemorySegment memory, SealGrid grid, int block, Incident incident) {
    incident.step(Step.TRACE);
    if (!mends) {
      incident.find(Component.OUTPUT, -1, 0, false);
      return true;
    }
    Mended mended = grid.mend(memory, block);
    incident.find(Component.OUTPUT, mended);
    return mended.done();
  }

  /** A result that cannot be brought to where it was asked for. */
  public UncorrectableFaultException undelivered(String operator) {
    var incident = new Incident(operator);
    incident.find(Component.OUTPUT, -1, 0, false);
    incident.step(Step.GIVE_UP);
    var report = incident.report(Resolution.UNCORRECTABLE);
    log.report(report);
    return new UncorrectableFaultException(report, ". The output does not hold what is written.");
  }

  private Status close(@Nullable Incident incident, boolean lost) {
    if (incident == null) {
      return Status.CLEAN;
    }
    if (lost) {
      incident.step(Step.GIVE_UP);
      var report = incident.report(Resolution.UNCORRECTABLE);
      log.report(report);
      throw new UncorrectableFaultException(report, Ladder.HINT);
    }
    log.report(incident.report(mends ? Resolution.CORRECTED : Resolution.DETECTED));
    return mends ? Status.CORRECTED : Status.DETECTED;
  }
}
