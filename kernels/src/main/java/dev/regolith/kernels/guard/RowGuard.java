package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import org.jspecify.annotations.Nullable;

/**
 * Gathers what the workers of a row operator find, and decides how the call ends. The workers walk
 * the ladder themselves, rows by rows. Without faults nothing is allocated. Thread-safe; reused
 * from call to call.
 */
public final class RowGuard {
  private final Backend backend;
  private final FaultLog log;
  private final boolean mends;
  private final Probation probation;
  private String operator = "";
  private @Nullable Incident incident;
  private volatile boolean lost;
  private boolean byDevice;

  /** A guard for one call at a time. */
  public RowGuard(Backend backend, FaultLog log, Protection protection, Probation probation) {
    this.backend = backend;
    this.log = log;
    this.mends = protection == Protection.CORRECT;
    this.probation = probation;
  }

  /** Starts a call. */
  public void open(String title) {
    operator = title;
    incident = null;
    lost = false;
    byDevice = false;
    log.call();
  }

  /** Counts comparisons of rows that were computed twice. */
  public void checked(long rows) {
    log.checks(rows);
  }

  /** The result is accepted on what the accelerator that computed it said. */
  public void madeByDevice() {
    byDevice = true;
  }

  /** Who made the evidence of the result. */
  public EvidenceLevel evidenceLevel() {
    return byDevice ? EvidenceLevel.DEVICE : EvidenceLevel.HOST;
  }

  /** Whether damage is put back, or only reported. */
  public boolean mends() {
    return mends;
  }

  private synchronized Incident incident() {
    if (incident == null) {
      incident = new Incident(operator);
    }
    return incident;
  }

  /** Seals of an input said that it was damaged; what putting it back came to. */
  public void found(Component component, Mended mended) {
    incident().step(Step.TRACE);
    incident().find(component, mended);
  }

  /** Damage that was noticed, but not located. */
  public void found(Component component) {
    incident().find(component, -1, 0, mends);
  }

  /** Rows of the output are in doubt; they are computed again if damage is to be put back. */
  public void doubt(Block block) {
    incident().doubt(block);
    if (mends) {
      incident().step(Step.RECOMPUTE);
    }
  }

  /** The scalar twin is asked. */
  public void twin() {
    incident().step(Step.TWIN);
  }

  /** Rows, or an input that there is no other source of, are lost. */
  public void lose() {
    incident().step(Step.GIVE_UP);
    lost = true;
  }

  /** Whether anything is lost. */
  public boolean isLost() {
    return lost;
  }

  /**
   * Ends a call.
   *
   * @throws UncorrectableFaultException if rows were lost
   */
  public Status close() {
    Incident happened = incident;
    if (happened == null) {
      return Status.CLEAN;
    }
    if (lost) {
      var report = happened.report(Resolution.UNCORRECTABLE);
      log.report(report);
      throw new UncorrectableFaultException(report, Ladder.HINT);
    }
    if (mends && happened.blamesDevice() && probation.fails()) {
      backend.retire(probation.toString());
    }
    log.report(happened.report(mends ? Resolution.CORRECTED : Resolution.DETECTED));
    return mends ? Status.CORRECTED : Status.DETECTED;
  }
}
