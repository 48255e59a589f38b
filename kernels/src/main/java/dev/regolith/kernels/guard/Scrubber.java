package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Reads sealed memory, and puts back what changed since it was sealed. Thread-safe. */
public final class Scrubber {
  private final Backend backend;
  private final FaultLog log;
  private final boolean mends;
  private final Workspace workspace;

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
    long[] found = new long[Seal.SUMS];
    for (int block = 0; block < grid.blocks(); block++) {
      backend.scan(memory, grid, block, found, workspace);
      if (!Seal.same(found, 0, grid.sums(), Seal.SUMS * block)) {
        incident = incident == null ? new Incident(operator) : incident;
        lost |= !mend(memory, grid, block, found, incident);
      }
    }
    return close(incident, lost);
  }

  private boolean mend(
      MemorySegment memory, SealGrid grid, int block, long[] found, Incident incident) {
    incident.step(Step.TRACE);
    if (!mends) {
      incident.find(Component.OUTPUT, -1, 0, false);
      return true;
    }
    return switch (grid.diagnose(block, found, 0)) {
      case Seal.Syndrome.Intact _ -> true;
      case Seal.Syndrome.SealItself _ -> {
        grid.renew(block, found, 0);
        incident.find(Component.SEAL, -1, 0, true);
        yield true;
      }
      case Seal.Syndrome.Word word -> {
        int bits = grid.repair(memory, block, word);
        incident.find(Component.OUTPUT, word.index(), bits, bits != 0);
        yield bits != 0;
      }
      case Seal.Syndrome.Beyond _ -> {
        incident.find(Component.OUTPUT, -1, 0, false);
        yield false;
      }
    };
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
