package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Disagreement;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Watches one attention: remembers which regions are in doubt while the backend computes, and mends
 * them afterwards, when the packed keys and values are known to be good. The same ladder as for
 * products, with regions of rows in place of check blocks: recompute; compare with the scalar twin;
 * give up loudly. Without faults nothing is allocated. Reused from call to call.
 */
public final class AttentionGuard implements AttentionSink {
  private static final int ATTEMPTS = Backend.LAST_ATTEMPT + 1;

  private final Backend backend;
  private final FaultLog log;
  private final boolean mends;
  private final AttentionTwin twin;
  private final Probation probation;
  private final List<AttentionRegion> suspects = new ArrayList<>();
  private final List<AttentionRegion> inconclusive = new ArrayList<>();
  private final Witness witness = new Witness();
  private @Nullable Incident incident;
  private volatile boolean any;
  private boolean mended;
  private boolean refuted;
  private boolean scrubbed;
  private volatile boolean beyondRepair;
  private volatile boolean unverified;
  private volatile boolean byDevice;

  /** A guard for attention. */
  public AttentionGuard(
      Backend backend, Backend twin, FaultLog log, Protection protection, Probation probation) {
    this.probation = probation;
    this.backend = backend;
    this.log = log;
    this.mends = protection != Protection.DETECT;
    this.twin = new AttentionTwin(backend, twin);
  }

  /** Starts a call. */
  public void open() {
    forgetDoubts();
    incident = null;
    mended = false;
    refuted = false;
    scrubbed = false;
    beyondRepair = false;
    unverified = false;
  }

  /** Forgets doubts of regions, because all of them are going to be computed again. */
  public synchronized void forgetDoubts() {
    suspects.clear();
    inconclusive.clear();
    any = false;
  }

  @Override
  public void madeByDevice() {
    byDevice = true;
  }

  /** All of it is computed, for the first time or once more. */
  public void startAgain() {
    byDevice = false;
  }

  /** Who made the evidence of the result. */
  public EvidenceLevel evidenceLevel() {
    return byDevice ? EvidenceLevel.DEVICE : EvidenceLevel.HOST;
  }

  @Override
  public void evidence(
      AttentionProblem p,
      AttentionRegion region,
      int row,
      int rows,
      double[] predicted,
      double[] shown,
      double[] tolerance) {
    for (int r = row; r < row + rows; r++) {
      if (!agrees(predicted[r], shown[r], tolerance[r])) {
        disagreement(region, r, predicted[r], shown[r], tolerance[r]);
      }
    }
  }

  private void disagreement(
      AttentionRegion region, int row, double predicted, double shown, double tolerance) {
    if (isConclusive(predicted, tolerance)) {
      incident().disagree(new Disagreement(region.queryOf(row), predicted, shown, tolerance));
      doubt(suspects, region);
    } else {
      doubt(inconclusive, region);
    }
  }

  private static boolean agrees(double predicted, double shown, double tolerance) {
    return Math.abs(shown - predicted) <= tolerance && tolerance < Double.POSITIVE_INFINITY;
  }

  private static boolean isConclusive(double predicted, double tolerance) {
    return Double.isFinite(predicted) && Double.isFinite(tolerance);
  }

  @Override
  public void suspect(AttentionProblem p, AttentionRegion region, Component component) {
    incident().find(component, -1, 0, mends);
    doubt(suspects, region);
  }

  @Override
  public void unverified(AttentionProblem p, AttentionRegion region) {
    unverified = true;
  }

  private synchronized void doubt(List<AttentionRegion> list, AttentionRegion region) {
    any = true;
    for (AttentionRegion known : list) {
      if (known.isSame(region)) {
        return;
      }
    }
    list.add(new AttentionRegion().set(region));
  }

  private synchronized Incident incident() {
    if (incident == null) {
      incident = new Incident("attention");
    }
    return incident;
  }

  /** Counts the checks of a region. */
  public void count(AttentionRegion region) {
    log.checks(region.checks);
  }

  /** Whether anything is in doubt. */
  public boolean any() {
    return any;
  }

  /** Whether cached pages were read that nobody verified. */
  public boolean isUnverified() {
    return unverified;
  }

  /** Whether damage is put back, or only reported. */
  public boolean mends() {
    return mends;
  }

  /** Notes damage that everything is computed again for, or that is only reported. */
  public void note(Component component) {
    incident().step(Step.TRACE);
    incident().find(component, -1, 0, mends);
    mended = true;
  }

  /** Notes what putting back a cached page or its check vectors came to. */
  public void note(Component component, Mended outcome) {
    incident().step(Step.TRACE);
    incident().find(component, outcome);
    mended = true;
    if (!outcome.done()) {
      beyondRepair = true;
    }
  }

  /** Whether something that there is no other source of cannot be put back. */
  public boolean isBeyondRepair() {
    return beyondRepair;
  }

  /** A sealed operand was damaged, which was reported and put back already. */
  public void scrubbed() {
    scrubbed = true;
  }

  /** Whether what was found is of a kind that others may cause again and again. */
  public boolean isProgressing() {
    return scrubbed;
  }

  /** Fills rows with NaN. */
  public void poison(AttentionProblem p, AttentionRegion region) {
    AttentionTwin.poison(p, region);
  }

  /** What a region stored, once it is settled: the caller keeps sums of it. */
  @FunctionalInterface
  public interface Settled {
    /** A region was computed again. */
    void settled(AttentionRegion region);
  }

  /**
   * Settles the doubts about regions: steps 2 to 4 of the ladder.
   *
   * @throws UncorrectableFaultException if a region cannot be reproduced; its rows hold NaN
   */
  public void settle(AttentionProblem p, Workspace workspace, Settled listener) {
    for (AttentionRegion region : List.copyOf(inconclusive)) {
      if (!isSuspect(region)) {
        if (twin.repeats(p, region, workspace)) {
          log.duplicated(1);
        } else {
          suspects.add(region);
        }
      }
    }
    boolean lost = false;
    for (AttentionRegion region : List.copyOf(suspects)) {
      for (Block block : blocks(p, region)) {
        incident().doubt(block);
      }
      if (mends) {
        lost |= !climb(p, region, workspace);
        listener.settled(region);
      }
    }
    forgetDoubts();
    if (lost) {
      throw giveUp();
    }
  }

  private boolean isSuspect(AttentionRegion region) {
    for (AttentionRegion known : suspects) {
      if (known.isSame(region)) {
        return true;
      }
    }
    return false;
  }

  /** Computes a region until it convinces; whether it did. */
  private boolean climb(AttentionProblem p, AttentionRegion region, Workspace workspace) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      twin.remember(p, region);
      witness.clear();
      incident().step(Step.RECOMPUTE);
      backend.attendAgain(p, region, attempt, workspace, witness);
      if (witness.damaged) {
        continue; // struck again: no verdict
      }
      if (witness.agrees) {
        byDevice |= witness.byDevice;
        mended = true;
        return true;
      }
      incident().step(Step.TWIN);
      boolean unchanged = twin.equalsRemembered(p, region);
      if (twin.reproduces(p, region)) {
        refuted |= unchanged;
        mended |= !unchanged;
        return true;
      }
    }
    AttentionTwin.poison(p, region);
    return false;
  }

  /** Step 4, for the whole call. */
  public UncorrectableFaultException giveUp() {
    incident().step(Step.GIVE_UP);
    var report = incident().report(Resolution.UNCORRECTABLE);
    log.report(report);
    return new UncorrectableFaultException(report, Ladder.HINT);
  }

  /** Ends a call that has a result. */
  public Status close() {
    Incident happened = incident;
    if (happened == null) {
      return !scrubbed ? Status.CLEAN : mends ? Status.CORRECTED : Status.DETECTED;
    }
    if (!mends) {
      log.report(happened.report(Resolution.DETECTED));
      return Status.DETECTED;
    }
    if (mended && happened.blamesDevice() && probation.fails()) {
      backend.retire(probation.toString());
    }
    boolean falseAlarm = refuted && !mended && !happened.found();
    log.report(happened.report(falseAlarm ? Resolution.EVIDENCE_REFUTED : Resolution.CORRECTED));
    return falseAlarm ? Status.CLEAN : Status.CORRECTED;
  }

  private static List<Block> blocks(AttentionProblem p, AttentionRegion region) {
    var blocks = new ArrayList<Block>();
    for (int h = 0; h < region.heads; h++) {
      long matrix = region.sequence * p.heads + region.head + h;
      blocks.add(new Block(matrix, region.query, region.queries, 0, p.columns));
    }
    return blocks;
  }

  /** Listens to a region that is computed again. */
  private static final class Witness implements AttentionSink {
    boolean agrees;
    boolean damaged;
    boolean byDevice;

    void clear() {
      byDevice = false;
      agrees = true;
      damaged = false;
    }

    @Override
    public void evidence(
        AttentionProblem p,
        AttentionRegion region,
        int row,
        int rows,
        double[] predicted,
        double[] shown,
        double[] tolerance) {
      for (int r = row; r < row + rows; r++) {
        agrees &= AttentionGuard.agrees(predicted[r], shown[r], tolerance[r]);
      }
    }

    @Override
    public void suspect(AttentionProblem p, AttentionRegion region, Component component) {
      damaged = true;
    }

    @Override
    public void madeByDevice() {
      byDevice = true;
    }
  }
}
