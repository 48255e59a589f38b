package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Residence;
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
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import org.jspecify.annotations.Nullable;

/**
 * Verifies words that come back from an accelerator. What does not agree with its seals is fetched
 * again, and what still does not is put right by them. Reports are made when no lock is held.
 * Thread-safe.
 */
public final class Arrivals implements Residence.Arrivals {
  private final Backend backend;
  private final FaultLog log;
  private final boolean mends;
  private final Probation probation;
  private final Workspace workspace;
  private final long[] found = new long[Seal.SUMS];

  /** What this thread found since it began a call. */
  private final ThreadLocal<Status> ofCall = ThreadLocal.withInitial(() -> Status.CLEAN);

  /** Those of a session. */
  public Arrivals(Backend backend, FaultLog log, Protection protection, Probation probation) {
    this.backend = backend;
    this.log = log;
    this.mends = protection != Protection.DETECT;
    this.probation = probation;
    this.workspace = backend.newWorkspace();
  }

  /** A call of this thread begins. */
  public void begin() {
    ofCall.set(Status.CLEAN);
  }

  /** What the call comes to, with what arrived during it. */
  public Status worst(Status status) {
    return status.worse(ofCall.get());
  }

  @Override
  public synchronized @Nullable Runnable arrived(Storage storage, Runnable again) {
    if (isIntact(storage)) {
      return null;
    }
    again.run();
    var incident = new Incident("fetch");
    incident.step(Step.TRACE);
    if (isIntact(storage)) {
      incident.find(Component.DEVICE_BUFFER, -1, 0, true);
      return () -> settle(incident, true, false);
    }
    boolean lost = false;
    for (Watch watch : storage.watches()) {
      if (watch.inForce()) {
        lost |= !mend(storage, (SealGrid) watch, incident);
      }
    }
    boolean beyond = lost;
    return () -> settle(incident, mends, beyond);
  }

  private boolean isIntact(Storage storage) {
    boolean intact = true;
    for (Watch watch : storage.watches()) {
      var grid = (SealGrid) watch;
      for (int block = 0; watch.inForce() && block < grid.blocks(); block++) {
        intact &= isIntact(storage, grid, block);
      }
    }
    return intact;
  }

  private boolean isIntact(Storage storage, SealGrid grid, int block) {
    backend.scan(storage.place(), grid, block, found, workspace);
    return Seal.same(found, 0, grid.sums(), Seal.SUMS * block);
  }

  /** Puts back what can be; whether all could, or nothing is meant to be. */
  private boolean mend(Storage storage, SealGrid grid, Incident incident) {
    boolean done = true;
    for (int block = 0; block < grid.blocks(); block++) {
      if (isIntact(storage, grid, block)) {
        continue;
      }
      if (mends) {
        Mended mended = grid.mend(storage.place(), block);
        incident.find(Component.DEVICE_BUFFER, mended);
        done &= mended.done();
      } else {
        incident.find(Component.DEVICE_BUFFER, -1, 0, false);
      }
    }
    return done;
  }

  private void settle(Incident incident, boolean right, boolean lost) {
    if (lost) {
      incident.step(Step.GIVE_UP);
      var report = incident.report(Resolution.UNCORRECTABLE);
      log.report(report);
      throw new UncorrectableFaultException(report, Ladder.HINT);
    }
    if (incident.blamesDevice() && probation.fails()) {
      backend.retire(probation.toString());
    }
    Status soFar = worst(right ? Status.CORRECTED : Status.DETECTED);
    log.report(incident.report(right ? Resolution.CORRECTED : Resolution.DETECTED));
    ofCall.set(soFar); // a listener may have made calls of its own
  }
}
