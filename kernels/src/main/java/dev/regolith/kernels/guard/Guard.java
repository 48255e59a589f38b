package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PathSquares;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Disagreement;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Doubts.Kind;
import dev.regolith.kernels.memory.Range;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Watches one call: compares evidence while the backend computes, and remembers which check blocks
 * are in doubt. When everything has been computed and every seal verified after its last use,
 * {@link #close} has the {@link Ladder} mend them.
 *
 * <p>Comparing happens on the workers, while blocks are hot; mending happens once, on the calling
 * thread, before the result is handed out. Without faults, and checks that take an exact tolerance,
 * nothing is allocated. Reused from call to call.
 */
public final class Guard implements EvidenceSink {
  private final Doubts doubts;
  private final FaultLog log;
  private final boolean mends;
  private final Backend backend;
  private final Ladder ladder;
  private @Nullable SealedInput left;
  private @Nullable SealedInput right;
  private volatile boolean byDevice;

  /** Check blocks some of whose rows were believed on account of the panels. */
  private final Set<Believed> believed = ConcurrentHashMap.newKeySet();

  /**
   * One of them.
   *
   * @param mark of the panels' repairs, before anything was made of them
   */
  private record Believed(long matrix, long block, int blocks, long mark) {}

  /** A guard for calls of one operator. */
  public Guard(
      String operator,
      Backend backend,
      Backend twin,
      FaultLog log,
      Protection protection,
      Probation probation) {
    this.backend = backend;
    this.doubts = new Doubts(operator);
    this.log = log;
    this.mends = protection == Protection.CORRECT;
    this.ladder = new Ladder(this, doubts, backend, new Twin(twin), log, mends, probation);
  }

  /**
   * Starts a call.
   *
   * @param newLeft A, whose seals the backend compares with what it reads; null if it reads none
   * @param newRight the same of B
   */
  public void open(@Nullable SealedInput newLeft, @Nullable SealedInput newRight) {
    left = newLeft;
    right = newRight;
    if (doubts.any()) {
      doubts.clear();
    }
    believed.clear();
    byDevice = false;
    log.call();
  }

  /** Whether anything is in doubt, when everything has been computed and verified. */
  public boolean isInDoubt(GemmProblem p, Workspace workspace) {
    for (Believed each : believed) {
      boolean intact = arePanelsIntact(p.b, each, workspace);
      if (!intact || !p.b.repairs().noneSince(each.mark)) {
        doubts.addRows(p, each.matrix, 0, p.rows, each.block, each.blocks);
      }
    }
    believed.clear();
    return doubts.any();
  }

  /**
   * Ends a call: mends what is in doubt, or, where the session only detects, reports it.
   *
   * @param aRange where each row of A lies in the memory that the seals of A speak of
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if a block cannot be reproduced
   */
  public Status close(GemmProblem p, Range aRange, Sources sources, Workspace workspace) {
    if (!isInDoubt(p, workspace)) {
      return Status.CLEAN;
    }
    try {
      return ladder.climb(p, aRange, sources, workspace);
    } finally {
      doubts.clear();
    }
  }

  @Override
  public void madeByDevice() {
    byDevice = true;
  }

  /** All of it is computed once more, with evidence of the host. */
  public void startAgain() {
    byDevice = false;
  }

  /** Who made the evidence of the result. */
  public EvidenceLevel evidenceLevel() {
    return byDevice ? EvidenceLevel.DEVICE : EvidenceLevel.HOST;
  }

  @Override
  public void evidence(
      GemmProblem p, Region region, long row, int rows, Evidence evidence, int evidenceRow) {
    int checks = evidence.checks();
    int from = evidence.at(evidenceRow, 0);
    int count = rows * checks;
    log.checks(count);
    for (int i = from; i < from + count; i++) {
      if (agrees(evidence, i)) {
        continue;
      }
      long rowInDoubt = row + (i - from) / checks;
      int check = (i - from) % checks;
      long mark = p.b.repairs().mark();
      if (refine(p, region, rowInDoubt, check, evidence, i)) {
        long block = region.block + evidence.firstBlock(check);
        believed.add(new Believed(region.matrix, block, evidence.blocksOf(check), mark));
      } else {
        boolean conclusive = evidence.isConclusive(i);
        doubts.addRow(
            p,
            region.matrix,
            rowInDoubt,
            region.block + evidence.firstBlock(check),
            evidence.blocksOf(check),
            conclusive ? Kind.SUSPECT : Kind.INCONCLUSIVE);
        if (conclusive) {
          doubts
              .incident()
              .disagree(
                  new Disagreement(
                      rowInDoubt, evidence.predicted[i], evidence.shown[i], evidence.tolerance[i]));
        }
      }
    }
  }

  /** Written so that a NaN anywhere, or a tolerance without bound, does not pass. */
  static boolean agrees(Evidence evidence, int at) {
    double residual = evidence.shown[at] - evidence.predicted[at];
    double tolerance = evidence.tolerance[at];
    return Math.abs(residual) <= tolerance && tolerance < Double.POSITIVE_INFINITY;
  }

  /**
   * Works out the exact tolerance of a check that exceeds the estimated one. It follows from the
   * packed panels, which have to be verified afterwards: a damaged one allows anything.
   *
   * @return whether the evidence agrees under it
   */
  boolean refine(GemmProblem p, Region region, long row, int check, Evidence evidence, int at) {
    if (!evidence.isConclusive(at) || !Double.isFinite(evidence.shown[at])) {
      return false;
    }
    log.refined();
    double exact =
        PathSquares.tolerance(
            p,
            region.matrix,
            row,
            region.block + evidence.firstBlock(check),
            evidence.blocksOf(check),
            evidence);
    evidence.tolerance[at] = Math.max(evidence.tolerance[at], exact);
    return agrees(evidence, at);
  }

  /** Whether nothing is damaged of the panels of check blocks; damaged ones are put back. */
  private boolean arePanelsIntact(PackedB b, Believed blocks, Workspace workspace) {
    var found = new long[Seal.SUMS];
    boolean intact = true;
    for (long block = blocks.block; block < blocks.block + blocks.blocks; block++) {
      for (int i = 0; i < b.panelsOf(block); i++) {
        for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
          long panel = b.panel(blocks.matrix, block) + i;
          if (!backend.isIntact(b, panel, kBlock, found, workspace)) {
            mendPanel(b, panel, kBlock);
            intact = false;
          }
        }
      }
    }
    return intact;
  }

  @Override
  public void checked(int columns) {
    log.checks(columns);
  }

  @Override
  public void refined() {
    log.refined();
  }

  @Override
  public void undecided(GemmProblem p, Region region) {
    doubts.addRegion(p, region, Kind.UNDECIDED);
  }

  @Override
  public void suspect(GemmProblem p, Region region, Component component) {
    doubts.incident().find(component, -1, 0, mends);
    doubts.addRegion(p, region, Kind.SUSPECT);
  }

  @Override
  public void inputDiffers(GemmProblem p, Region region, long block) {
    inputDiffers(Objects.requireNonNull(left), block);
  }

  @Override
  public void rightDiffers(GemmProblem p, Region region, long block) {
    inputDiffers(Objects.requireNonNull(right), block);
  }

  /** Puts a block of A back at once; whoever read it before is found when the ladder traces it. */
  void mendLeft(long block) {
    SealedInput input = Objects.requireNonNull(left);
    if (mends) {
      doubts.incident().find(input.component, input.grid.mend(input.memory, block));
    }
  }

  @Override
  public void panelDiffers(GemmProblem p, Region region, long panel, int kBlock) {
    if (p.packsB() && mends) {
      // What was read is about to go, and what is mended is a copy of its own.
      doubts.incident().find(Component.PACKED_B, -1, 0, true);
    }
    mendPanel(p.b, panel, kBlock);
    doubts.addRegion(p, region, Kind.SUSPECT);
  }

  @Override
  public void recordDiffers(GemmProblem p, Region region, long block, int kBlock) {
    mendRecord(p.b, region.matrix, block, kBlock);
    doubts.addRegion(p, region, Kind.SUSPECT);
  }

  /** Somebody put words of tensors back while this call read some: anything may have read them. */
  public void everythingDiffers(GemmProblem p) {
    doubts.incident();
    for (long matrix = 0; matrix < p.batch; matrix++) {
      doubts.addRows(p, matrix, 0, p.rows, 0, p.b.blocks());
    }
  }

  /** A block of a sealed input differs from its seal. */
  public void inputDiffers(SealedInput input, long block) {
    doubts.add(new Doubts.Difference(input, block));
  }

  void mendPanel(PackedB b, long panel, int kBlock) {
    note(Component.PACKED_B, mends ? b.mendPanel(panel, kBlock) : null);
  }

  void mendRecord(PackedB b, long matrix, long block, int kBlock) {
    note(Component.CHECK_VECTOR, mends ? b.mendRecord(matrix, block, kBlock) : null);
  }

  private void note(Component component, @Nullable Mended mended) {
    Incident incident = doubts.incident();
    if (mended == null) {
      incident.find(component, -1, 0, false);
    } else {
      incident.find(component, mended);
      if (!mended.done()) {
        doubts.loseSource();
      }
    }
  }
}
