package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What is in doubt in one call: check blocks of the output, and sealed inputs. Thread-safe. */
final class Doubts {
  /** Check blocks of the output, side by side: one, or those of a check. */
  record Cell(long matrix, long row, int rows, long block, int blocks) {
    Region region() {
      return new Region().set(matrix, row, rows, block, blocks);
    }
  }

  /** How a check block came into doubt. */
  enum Kind {
    /** Checks of columns do not settle it: computing twice, and checks of rows, do. */
    UNDECIDED,
    /** The evidence is not finite, because the inputs are not: computing twice decides. */
    INCONCLUSIVE,
    /** Evidence disagreed, or something the block was computed from was damaged. */
    SUSPECT
  }

  /** A block of a sealed input that differs from its seal. */
  record Difference(SealedInput input, long block) {}

  private final String operator;
  private final Map<Cell, Kind> cells = new LinkedHashMap<>();
  private final Set<Difference> differences = new LinkedHashSet<>();
  private @Nullable Incident incident;
  private volatile boolean any;
  private boolean beyondRepair;

  Doubts(String operator) {
    this.operator = operator;
  }

  /** Whether there is any doubt at all. */
  boolean any() {
    return any;
  }

  synchronized void clear() {
    cells.clear();
    differences.clear();
    incident = null;
    beyondRepair = false;
    any = false;
  }

  /** The incident of this call; made when first asked for. */
  synchronized Incident incident() {
    any = true;
    if (incident == null) {
      incident = new Incident(operator);
    }
    return incident;
  }

  synchronized boolean hasIncident() {
    return incident != null;
  }

  synchronized void add(Difference difference) {
    incident();
    differences.add(difference);
  }

  synchronized List<Difference> takeDifferences() {
    var taken = List.copyOf(differences);
    differences.clear();
    return taken;
  }

  /** Takes the doubtful check blocks, each once: blocks under a doubtful check go with it. */
  synchronized Map<Cell, Kind> takeCells() {
    var taken = new LinkedHashMap<>(cells);
    cells.clear();
    for (Cell wide : List.copyOf(taken.keySet())) {
      for (int i = 0; wide.blocks() > 1 && i < wide.blocks(); i++) {
        Kind kind =
            taken.remove(new Cell(wide.matrix(), wide.row(), wide.rows(), wide.block() + i, 1));
        if (kind == Kind.SUSPECT) {
          taken.put(wide, Kind.SUSPECT);
        }
      }
    }
    return taken;
  }

  /** Whether anything is in doubt that nobody took. */
  synchronized boolean unsettled() {
    return !cells.isEmpty() || !differences.isEmpty();
  }

  synchronized void loseSource() {
    beyondRepair = true;
  }

  synchronized boolean sourceLost() {
    return beyondRepair;
  }

  synchronized void sourceRegained() {
    beyondRepair = false;
  }

  synchronized void add(Cell cell, Kind kind) {
    any = true;
    cells.merge(cell, kind, (x, y) -> x.compareTo(y) > 0 ? x : y);
  }

  void addRow(GemmProblem p, long matrix, long row, long block, int blocks, Kind kind) {
    long top = row / CheckBlock.ROWS * CheckBlock.ROWS;
    add(new Cell(matrix, top, (int) Math.min(CheckBlock.ROWS, p.rows - top), block, blocks), kind);
  }

  void addRegion(GemmProblem p, Region region, Kind kind) {
    long end = region.row + region.rows;
    addRows(p, region.matrix, region.row, end, region.block, region.blocks, kind);
  }

  void addRows(GemmProblem p, long matrix, long from, long to, long firstBlock, long blocks) {
    addRows(p, matrix, from, to, firstBlock, blocks, Kind.SUSPECT);
  }

  private void addRows(
      GemmProblem p, long matrix, long from, long to, long firstBlock, long blocks, Kind kind) {
    long top = from / CheckBlock.ROWS * CheckBlock.ROWS;
    for (long row = top; row < to; row += CheckBlock.ROWS) {
      for (long i = 0; i < blocks; i++) {
        addRow(p, matrix, row, firstBlock + i, 1, kind);
      }
    }
  }
}
