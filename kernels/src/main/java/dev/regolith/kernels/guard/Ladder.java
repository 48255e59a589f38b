package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.Step;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.guard.Doubts.Cell;
import dev.regolith.kernels.guard.Doubts.Kind;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;

/**
 * Walks doubtful check blocks up the steps: trace the damage in the sources and put it back;
 * recompute; compare with a diverse twin; give up loudly. A good result is never destroyed: only a
 * block that two code paths cannot agree on is poisoned.
 */
final class Ladder {
  private static final int ATTEMPTS = Backend.LAST_ATTEMPT + 1;
  private static final int DISTURBANCES = 100;

  static final String HINT =
      ". If an operand was written through a segment that was obtained before it was sealed, write"
          + " through Session.edit instead.";

  private enum Verdict {
    COMPUTED_TWICE,
    MENDED,
    REFUTED,
    LOST
  }

  private final Guard guard;
  private final Doubts doubts;
  private final Backend backend;
  private final Twin twin;
  private final FaultLog log;
  private final boolean mends;
  private final Probation probation;
  private final Witness witness = new Witness();

  Ladder(
      Guard guard,
      Doubts doubts,
      Backend backend,
      Twin twin,
      FaultLog log,
      boolean mends,
      Probation probation) {
    this.guard = guard;
    this.doubts = doubts;
    this.backend = backend;
    this.twin = twin;
    this.log = log;
    this.mends = mends;
    this.probation = probation;
  }

  Status climb(GemmProblem p, Range aRange, Sources sources, Workspace workspace) {
    return mends ? mend(p, aRange, sources, workspace) : report(p);
  }

  /** Only detecting: a doubt that computing twice can settle is settled, the rest is reported. */
  private Status report(GemmProblem p) {
    for (var doubt : doubts.takeCells().entrySet()) {
      if (doubt.getValue() != Kind.SUSPECT && twin.reproduces(p, doubt.getKey().region())) {
        log.duplicated(doubt.getKey().blocks());
      } else {
        doubts.incident().doubt(block(p, doubt.getKey()));
      }
    }
    for (var difference : doubts.takeDifferences()) {
      doubts.incident().find(difference.input().component, -1, 0, false);
    }
    if (!doubts.hasIncident()) {
      return Status.CLEAN;
    }
    log.report(doubts.incident().report(Resolution.DETECTED));
    return Status.DETECTED;
  }

  private Status mend(GemmProblem p, Range aRange, Sources sources, Workspace workspace) {
    boolean mended = false;
    boolean refuted = false;
    boolean lost = false;
    for (int round = 0; round < ATTEMPTS && doubts.any(); round++) {
      trace(p, aRange, sources);
      var cells = doubts.takeCells();
      if (cells.isEmpty() && round > 0) {
        break;
      }
      for (var doubt : cells.entrySet()) {
        Cell cell = doubt.getKey();
        Verdict verdict =
            doubts.sourceLost() ? Verdict.LOST : climb(p, cell, doubt.getValue(), workspace);
        if (verdict == Verdict.COMPUTED_TWICE) {
          log.duplicated(cell.blocks());
          continue;
        }
        doubts.incident().doubt(block(p, cell));
        mended |= verdict == Verdict.MENDED;
        refuted |= verdict == Verdict.REFUTED;
        if (verdict == Verdict.LOST) {
          lost = true;
          poison(p, cell);
        }
      }
      // Blocks were computed from the sources once more, so the sources are verified once more.
      sources.verifyInputs();
    }
    lost |= doubts.unsettled();
    if (!doubts.hasIncident()) {
      return Status.CLEAN;
    }
    Incident incident = doubts.incident();
    if (lost || doubts.sourceLost()) {
      incident.step(Step.GIVE_UP);
      var report = incident.report(Resolution.UNCORRECTABLE);
      log.report(report);
      throw new UncorrectableFaultException(report, HINT);
    }
    if (mended && incident.blamesDevice() && probation.fails()) {
      backend.retire(probation.toString());
    }
    boolean falseAlarm = refuted && !mended && !incident.found();
    log.report(incident.report(falseAlarm ? Resolution.EVIDENCE_REFUTED : Resolution.CORRECTED));
    return falseAlarm ? Status.CLEAN : Status.CORRECTED;
  }

  /** Step 1: puts damaged sources back, and doubts every block that read them. */
  private void trace(GemmProblem p, Range aRange, Sources sources) {
    if (!doubts.hasIncident()) {
      return;
    }
    doubts.incident().step(Step.TRACE);
    if (doubts.sourceLost() && sources.copyAgain(Component.PACKED_B)) {
      doubts.sourceRegained();
    }
    var stale = EnumSet.noneOf(Component.class);
    for (var difference : doubts.takeDifferences()) {
      SealedInput input = difference.input();
      long block = difference.block();
      Mended mended = input.grid.mend(input.memory, block);
      long index = -1;
      switch (mended.syndrome()) {
        case Seal.Syndrome.SealItself _ -> {
          doubts.incident().find(input.component, mended);
          continue; // the data was intact
        }
        case Seal.Syndrome.Word word -> {
          index = word.index();
          if (!mended.done() && input.copied) {
            long place = input.grid.word(block, word.index());
            sources.patch(input.component, place, mended.changedBits());
            mended = new Mended(word, mended.changedBits(), true);
          }
        }
        case Seal.Syndrome.Intact _, Seal.Syndrome.Beyond _ -> {}
      }
      doubts.incident().find(input.component, mended);
      if (!mended.done()) {
        doubts.loseSource();
      }
      if (input.copied) {
        stale.add(input.component);
      }
      doubtReaders(p, aRange, input, block, input.copied ? -1 : index);
    }
    // Only now, when everything is put back: copies and seals of this call are made from it.
    stale.forEach(sources::copyAgain);
    sources.beginReading();
  }

  /** Doubts the blocks of C that read a word of a block of an input; any word if -1. */
  private void doubtReaders(
      GemmProblem p, Range aRange, SealedInput input, long block, long index) {
    SealGrid grid = input.grid;
    if (input.component == Component.OUTPUT) {
      return; // nobody reads C before it is handed out
    }
    if (input.component == Component.OLD_C) {
      long row = grid.row(block);
      doubts.addRows(p, grid.batch(block), row, row + grid.rows(block), 0, p.b.blocks());
      return;
    }
    for (long matrix = 0; matrix < p.batch; matrix++) {
      if (index < 0) {
        doubts.addRows(p, matrix, 0, p.rows, 0, p.b.blocks());
        continue;
      }
      long word = grid.word(block, (int) index);
      for (long row = 0; row < p.rows; row++) {
        if (reads(aRange, matrix, row, word)) {
          doubts.addRows(p, matrix, row, row + 1, 0, p.b.blocks());
        }
      }
    }
  }

  private static boolean reads(Range range, long matrix, long row, long word) {
    long distance = word - range.word(range.batch() == 1 ? 0 : matrix, row, 0);
    long stride = Math.max(1, range.columnStride());
    return distance >= 0 && distance % stride == 0 && distance / stride < range.columns();
  }

  /** Steps 2 and 3 for one check block. */
  private Verdict climb(GemmProblem p, Cell cell, Kind kind, Workspace workspace) {
    Region region = cell.region();
    twin.remember(p, region);
    // A fault may strike the recomputation as well: what does not convince is done again.
    int disturbed = 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      witness.clear();
      // What inputs predict nothing for is not computed twice in the same way, if there is another.
      int way = kind != Kind.SUSPECT ? Backend.LAST_ATTEMPT : attempt + disturbed;
      backend.recompute(p, region, way, workspace, witness);
      if (witness.refined && !witness.damaged) {
        verifyPanels(p, region, workspace);
      }
      if (witness.damaged) {
        // Damage found and put back meanwhile, perhaps by another call: no verdict on this block.
        attempt -= disturbed++ < DISTURBANCES ? 1 : 0;
        continue;
      }
      boolean unchanged = twin.equalsRemembered(p, region);
      boolean decided = witness.inconclusive || (kind == Kind.UNDECIDED && witness.agrees);
      if (kind != Kind.SUSPECT && decided && unchanged) {
        return Verdict.COMPUTED_TWICE;
      }
      doubts.incident().step(Step.RECOMPUTE);
      if (witness.agrees) {
        return Verdict.MENDED;
      }
      doubts.incident().step(Step.TWIN);
      verifyPanels(p, region, workspace);
      if (witness.damaged) {
        attempt -= disturbed++ < DISTURBANCES ? 1 : 0;
        continue;
      }
      if (twin.reproduces(p, region)) {
        // Other bits say nothing: evidence that disagrees with right ones as well is refuted.
        boolean wasRight = unchanged || !backend.ownBits().isEmpty();
        return witness.disagrees && wasRight ? Verdict.REFUTED : Verdict.MENDED;
      }
    }
    return Verdict.LOST;
  }

  /**
   * The twin reads the same panels, so their agreement says nothing where panels are damaged, nor
   * does a tolerance that follows from them: what a digest may have missed, their seals tell.
   */
  private void verifyPanels(GemmProblem p, Region region, Workspace workspace) {
    var found = new long[Seal.SUMS];
    for (int kBlock = 0; kBlock < p.b.kBlocks(); kBlock++) {
      PackedBCheck.verifyPanels(backend, p, region, kBlock, found, workspace, witness);
    }
  }

  /** Step 4: nothing plausible is left behind. */
  private static void poison(GemmProblem p, Cell cell) {
    Region region = cell.region();
    int columns = PackedBCheck.columns(region, p.b);
    for (int i = 0; i < cell.rows(); i++) {
      long row = p.cRow(cell.matrix(), cell.row() + i) + 4 * cell.block() * CheckBlock.COLUMNS;
      for (int j = 0; j < columns; j++) {
        p.c.set(ValueLayout.JAVA_FLOAT, row + 4L * j, Float.NaN);
      }
    }
  }

  private static Block block(GemmProblem p, Cell cell) {
    return new Block(
        cell.matrix(),
        cell.row(),
        cell.rows(),
        cell.block() * CheckBlock.COLUMNS,
        PackedBCheck.columns(cell.region(), p.b));
  }

  /** Listens to a block that is computed again. */
  private final class Witness implements EvidenceSink {
    boolean agrees;
    boolean disagrees;
    boolean inconclusive;
    boolean damaged;
    boolean refined;

    void clear() {
      agrees = true;
      disagrees = false;
      inconclusive = false;
      damaged = false;
      refined = false;
    }

    @Override
    public void evidence(
        GemmProblem p, Region region, long row, int rows, Evidence evidence, int evidenceRow) {
      int from = evidence.at(evidenceRow, 0);
      int checks = evidence.checks();
      for (int i = from; i < from + rows * checks; i++) {
        long rowInDoubt = row + (i - from) / checks;
        int check = (i - from) % checks;
        if (Guard.agrees(evidence, i)) {
          continue;
        }
        if (guard.refine(p, region, rowInDoubt, check, evidence, i)) {
          refined = true; // on account of the panels
        } else {
          agrees = false;
          disagrees |= evidence.isConclusive(i);
          inconclusive |= !evidence.isConclusive(i);
        }
      }
    }

    @Override
    public void suspect(GemmProblem p, Region region, Component component) {
      damaged = true;
    }

    @Override
    public void inputDiffers(GemmProblem p, Region region, long block) {
      damaged = true;
      guard.inputDiffers(p, region, block);
      guard.mendLeft(block);
    }

    @Override
    public void panelDiffers(GemmProblem p, Region region, long panel, int kBlock) {
      damaged = true;
      guard.mendPanel(p.b, panel, kBlock);
    }

    @Override
    public void recordDiffers(GemmProblem p, Region region, long block, int kBlock) {
      damaged = true;
      guard.mendRecord(p.b, region.matrix, block, kBlock);
    }
  }
}
