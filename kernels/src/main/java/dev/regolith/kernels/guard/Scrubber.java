package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
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

  /** Has a word put back somewhere else than in memory that cannot be written. */
  public interface Patch {
    /** Told of a word of the memory, and the bits in which it is wrong. */
    void put(long word, int changedBits);
  }

  /**
   * Verifies every block of a grid.
   *
   * @throws UncorrectableFaultException if more is damaged than a seal can undo
   */
  public Status scrub(String operator, MemorySegment memory, SealGrid grid) {
    return scrub(operator, memory, grid, null);
  }

  /**
   * The same of memory that cannot be written.
   *
   * @param patch told what is to be put back
   */
  public Status scrub(String operator, MemorySegment memory, SealGrid grid, @Nullable Patch patch) {
    return close(look(operator, memory, grid, patch));
  }

  /** What there was, and whether it could not be put right; told when no lock is held. */
  private record Finding(Incident incident, boolean lost) {}

  private synchronized @Nullable Finding look(
      String operator, MemorySegment memory, SealGrid grid, @Nullable Patch patch) {
    Incident incident = null;
    boolean lost = false;
    for (int block = 0; block < grid.blocks(); block++) {
      backend.scan(memory, grid, block, found, workspace);
      boolean same = Seal.same(found, 0, grid.sums(), Seal.SUMS * block);
      if (!same && !grid.isBeingWritten()) {
        incident = incident == null ? new Incident(operator) : incident;
        lost |= !mend(memory, grid, block, patch, incident);
      }
    }
    return incident == null ? null : new Finding(incident, lost);
  }

  /** Reports that what an operator had copied is no longer what it read, and is read again. */
  public void readAgain(String operator, Component component) {
    var incident = new Incident(operator);
    incident.step(Step.RECOMPUTE);
    incident.find(component, -1, 0, true);
    log.report(incident.report(Resolution.CORRECTED));
  }

  /** Verifies every seal in force that a tensor has a word under; the worst of what was found. */
  public Status scrub(String operator, Tensor tensor) {
    Status worst = Status.CLEAN;
    for (Watch watch : tensor.storage().watches()) {
      if (watch.inForce() && tensor.touches(watch.range())) {
        Status found = scrub(operator, tensor.storage().segment(), (SealGrid) watch);
        worst = worst.worse(found);
      }
    }
    return worst;
  }

  /**
   * Verifies packed panels, their check records and seals, and then the copies that a device has.
   *
   * @throws UncorrectableFaultException if more is damaged than a seal can undo
   */
  public Status scrub(String operator, PackedB packed) {
    return close(look(operator, packed));
  }

  private synchronized @Nullable Finding look(String operator, PackedB packed) {
    var incident = new Incident(operator);
    boolean intact = isIntact(packed, Component.PACKED_B, incident);
    noteCopies(intact ? backend.verifyCopy(packed, mends, workspace) : 0, incident);
    return incident.found() ? new Finding(incident, !intact) : null;
  }

  /**
   * Verifies the pages of a cache, with their check records and seals, and then the copy that a
   * device has.
   *
   * @throws UncorrectableFaultException if more is damaged than a seal can undo
   */
  public Status scrub(String operator, KeyValuePages sequence) {
    return close(look(operator, sequence));
  }

  private synchronized @Nullable Finding look(String operator, KeyValuePages sequence) {
    var incident = new Incident(operator);
    boolean intact = true;
    for (int page = 0; page < sequence.pages(); page++) {
      intact &= isIntact(sequence.keys(page), Component.OPERAND_B, incident);
      intact &= isIntact(sequence.values(page), Component.PACKED_B, incident);
    }
    noteCopies(intact ? backend.verifyCopy(sequence, mends, workspace) : 0, incident);
    return incident.found() ? new Finding(incident, !intact) : null;
  }

  private void noteCopies(int damaged, Incident incident) {
    if (damaged > 0) {
      incident.step(Step.TRACE);
      incident.find(Component.DEVICE_BUFFER, -1, 0, mends);
    }
  }

  /**
   * Whether panels and check records hold, or what does not was put back, or is not meant to be.
   */
  private boolean isIntact(PackedB packed, Component component, Incident incident) {
    boolean intact = true;
    for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
      for (long panel = 0; panel < packed.panelCount(); panel++) {
        if (!backend.isIntact(packed, panel, kBlock, found, workspace)) {
          Mended mended = mends ? packed.mendPanel(panel, kBlock) : null;
          intact &= note(component, mended, incident);
        }
      }
      for (long matrix = 0; matrix < packed.matrices(); matrix++) {
        for (long block = 0; block < packed.blocks(); block++) {
          if (!packed.isRecordIntact(matrix, block, kBlock, found)) {
            Mended mended = mends ? packed.mendRecord(matrix, block, kBlock) : null;
            intact &= note(Component.CHECK_VECTOR, mended, incident);
          }
        }
      }
    }
    return intact;
  }

  /** Notes what was put back, or that nothing is; whether all is well, or not meant to be. */
  private static boolean note(Component component, @Nullable Mended mended, Incident incident) {
    incident.step(Step.TRACE);
    if (mended == null) {
      incident.find(component, -1, 0, false);
      return true;
    }
    incident.find(component, mended);
    return mended.done();
  }

  private boolean mend(
      MemorySegment memory, SealGrid grid, int block, @Nullable Patch patch, Incident incident) {
    Mended mended = mends ? grid.mend(memory, block) : null;
    if (patch != null
        && mended != null
        && !mended.done()
        && mended.syndrome() instanceof Seal.Syndrome.Word damage) {
      patch.put(grid.word(block, damage.index()), mended.changedBits());
      mended = new Mended(damage, mended.changedBits(), true);
    }
    return note(Component.OUTPUT, mended, incident);
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

  private Status close(@Nullable Finding finding) {
    if (finding == null) {
      return Status.CLEAN;
    }
    Incident incident = finding.incident;
    if (finding.lost) {
      incident.step(Step.GIVE_UP);
      var report = incident.report(Resolution.UNCORRECTABLE);
      log.report(report);
      throw new UncorrectableFaultException(report, Ladder.HINT);
    }
    log.report(incident.report(mends ? Resolution.CORRECTED : Resolution.DETECTED));
    return mends ? Status.CORRECTED : Status.DETECTED;
  }
}
