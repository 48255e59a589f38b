package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.checksum.CheckBlock;

/**
 * How the rows of an attention are cut into regions: whole heads of a group while they are short,
 * else stretches of one head's queries, of about one size.
 */
final class AttentionRegions {
  private final AttentionProblem problem;
  private int headsPerRegion;
  private int regionsPerHead;
  private int rowsPerRegion;

  AttentionRegions(AttentionProblem problem) {
    this.problem = problem;
  }

  /**
   * Cuts the problem as it is now.
   *
   * @param most rows of a region
   */
  void cut(int most) {
    long rows = problem.queries;
    int group = problem.group();
    if (rows <= most / 2) {
      headsPerRegion = Math.clamp(most / Math.max(1, rows), 1, group);
      headsPerRegion = Math.ceilDiv(group, Math.ceilDiv(group, headsPerRegion));
      regionsPerHead = 1;
      rowsPerRegion = (int) rows;
      return;
    }
    headsPerRegion = 1;
    long blocks = CheckBlock.down(rows);
    long perRegion = most / CheckBlock.ROWS;
    regionsPerHead = Math.toIntExact(Math.max(1, Math.ceilDiv(blocks, perRegion)));
    rowsPerRegion = (int) Math.ceilDiv(blocks, regionsPerHead) * CheckBlock.ROWS;
  }

  /** Rows of the only region that reads the keys of a head; no number if there are several. */
  long rowsOfOnlyRegion() {
    boolean only = regionsPerHead == 1 && headsPerRegion == problem.group();
    return only ? (long) headsPerRegion * rowsPerRegion : Long.MAX_VALUE;
  }

  /** Number of regions. */
  long count() {
    AttentionProblem p = problem;
    long perGroup = Math.ceilDiv(p.group(), headsPerRegion);
    return p.batch * p.kvHeads * perGroup * regionsPerHead;
  }

  /** Sets a region by its number; whether it has any rows. */
  boolean describe(long task, AttentionRegion region) {
    AttentionProblem p = problem;
    int perGroup = Math.ceilDiv(p.group(), headsPerRegion);
    // The last regions of causal heads are the longest: they go first.
    int part = regionsPerHead - 1 - (int) (task % regionsPerHead);
    long rest = task / regionsPerHead;
    int inGroup = (int) (rest % perGroup) * headsPerRegion;
    long matrix = rest / perGroup;
    int kvHead = (int) (matrix % p.kvHeads);
    long row = (long) part * rowsPerRegion;
    int rows = (int) Math.min(rowsPerRegion, p.queries - row);
    int heads = Math.min(headsPerRegion, p.group() - inGroup);
    region.set(matrix / p.kvHeads, kvHead, kvHead * p.group() + inGroup, heads, row, rows);
    region.number = (int) task;
    return rows > 0;
  }
}
