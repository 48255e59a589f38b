package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;

/**
 * How C is cut into regions: its check blocks down and, so many at a time, across, shared by chunks
 * and groups. Reused from call to call.
 */
final class RegionCut {
  /** Threads have about the same work if at most one turn in so many finds nothing to do. */
  private static final int TURNS = 8;

  private final Backend backend;
  private final GemmProblem problem;
  private int threads;
  private long down;
  private long across;
  private int width;
  private long chunks;
  private long groups;

  /** Cuts of a problem, which changes from call to call. */
  RegionCut(Backend backend, GemmProblem problem) {
    this.backend = backend;
    this.problem = problem;
  }

  /**
   * Whether every panel of a fresh B can be left to one region, which takes all rows: there are
   * enough check blocks of columns for the threads to share evenly.
   *
   * @param matrices of B
   */
  boolean leavesPanels(long matrices, int amongThreads) {
    if (problem.rows > backend.regionRows()) {
      return false;
    }
    boolean shared = problem.batch > 1 && matrices == 1;
    if (shared || amongThreads == 1) {
      return !shared;
    }
    long shares = problem.batch * across(CheckBlock.span(problem.depth));
    long idle = pieces(shares, amongThreads) * amongThreads - shares;
    return TURNS * idle <= shares;
  }

  /**
   * Cuts C into regions of about the same size: as large as a workspace allows, and as many as the
   * threads can share evenly.
   */
  void cut(int amongThreads) {
    threads = amongThreads;
    boolean once = problem.packsB();
    down = CheckBlock.down(problem.rows);
    width = once ? CheckBlock.span(problem.depth) : 1;
    across = across(width);
    chunks = pieces(down, regionBlocks(once));
    groups = pieces(across, Region.MAX_BLOCKS / width);
    if (threads > 1 && problem.batch * groups < 4L * threads) {
      share(once);
    }
  }

  /** Has the threads find about the same work. */
  private void share(boolean once) {
    long highest = chunks;
    long others = problem.batch * groups;
    long even = Math.ceilDiv(chunks * others, threads) * threads;
    chunks = once ? 1 : Math.min(down, Math.ceilDiv(even, others));
    long wanted = once ? even : threads;
    long aligned = Math.ceilDiv(groups, threads) * threads;
    if (chunks * others < wanted) {
      groups = Math.min(across, Math.ceilDiv(wanted, problem.batch * chunks));
    }
    // Threads side by side are done with their columns at the same time, however high regions are,
    // but for a region of a wider group; and A is read by each of them.
    long share = problem.rows * problem.columns / threads;
    long more = height(highest) * (widest(aligned) - problem.columns / aligned);
    if (!once && aligned <= across && 32 * problem.batch * (share + more) < 31 * longest()) {
      chunks = highest;
      groups = aligned;
    }
  }

  /** Elements that the busiest thread computes, at most. */
  private long longest() {
    long turns = Math.ceilDiv(regions(), threads);
    return turns * height(chunks) * widest(groups);
  }

  /** Rows of the highest of so many chunks. */
  private long height(long ofChunks) {
    return Math.min(problem.rows, CheckBlock.ROWS * Math.ceilDiv(down, ofChunks));
  }

  /** Columns of the widest of so many groups. */
  private long widest(long ofGroups) {
    long blocks = width * Math.ceilDiv(across, ofGroups);
    return Math.min(problem.columns, CheckBlock.COLUMNS * blocks);
  }

  /** How many there are. */
  long regions() {
    return problem.batch * chunks * groups;
  }

  /** Whether a region has all rows of its columns. */
  boolean isFullHeight() {
    return chunks == 1;
  }

  /** Says which region a number stands for, and what the same thread probably computes next. */
  Region region(long number, Region region) {
    long ofMatrix = chunks * groups;
    long matrix = ofMatrix == 1 ? number : number / ofMatrix;
    long group = groups == 1 ? 0 : number % groups;
    long chunk = chunks == 1 ? 0 : number / groups % chunks;
    long row = start(chunk, chunks, down) * CheckBlock.ROWS;
    long end = Math.min(problem.rows, start(chunk + 1, chunks, down) * CheckBlock.ROWS);
    long block = start(group, groups, across) * width;
    long last = Math.min(across(1), start(group + 1, groups, across) * width);
    region.set(matrix, row, (int) (end - row), block, (int) (last - block));
    long nextNumber = number + threads;
    long next = ofMatrix == 1 ? nextNumber : nextNumber / ofMatrix;
    region.nextMatrix = next < problem.batch ? next : matrix;
    return region;
  }

  /** Check blocks that a region is high. */
  private long regionBlocks(boolean once) {
    boolean evident = problem.verify || once;
    int rows = evident ? backend.regionRows() : backend.regionRowsWithoutEvidence();
    return rows / CheckBlock.ROWS;
  }

  private long across(int blocks) {
    return pieces(CheckBlock.across(problem.columns), blocks);
  }

  // Small products are over before a processor has divided often.

  /** Pieces of at most a size; one of nothing. */
  private static long pieces(long whole, long size) {
    return whole <= size ? 1 : Math.ceilDiv(whole, size);
  }

  /** Where a piece starts, of several of about the same size. */
  private static long start(long piece, long pieces, long whole) {
    return pieces == 1 ? piece * whole : piece * whole / pieces;
  }
}
