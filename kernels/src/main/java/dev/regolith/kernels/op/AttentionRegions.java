package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.checksum.CheckBlock;

/**
 * How the rows of an attention are cut into regions: whole heads of a group while they are short,
 * on a device also several groups; else stretches of one head's queries, of about one size.
 */
final class AttentionRegions {
  private final AttentionProblem problem;
  private int kvHeadsPerRegion;
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
   * @param threads that regions of several groups are enough for; 0 if a region has one group only
   */
  void cut(int most, int threads) {
    long rows = problem.queries;
    int group = problem.group();
    kvHeadsPerRegion = 1;
    if (rows <= most / 2) {
      headsPerRegion = Math.clamp(most / Math.max(1, rows), 1, group);
      headsPerRegion = Math.ceilDiv(group, Math.ceilDiv(group, headsPerRegion));
      regionsPerHead = 1;
      rowsPerRegion = (int) rows;
      if (threads > 0 && headsPerRegion == group) {
        kvHeadsPerRegion = kvHeads(most / Math.max(1, group * rows), threads);
      }
      return;
    }
    headsPerRegion = 1;
    long blocks = CheckBlock.down(rows);
    long perRegion = most / CheckBlock.ROWS;
    regionsPerHead = Math.toIntExact(Math.max(1, Math.ceilDiv(blocks, perRegion)));
    rowsPerRegion = (int) Math.ceilDiv(blocks, regionsPerHead) * CheckBlock.ROWS;
  }

  /** Groups of a region: as many as fit, while every thread gets a region; about equally many. */
  private int kvHeads(long most, int threads) {
    int all = problem.kvHeads;
    long perThread = Math.ceilDiv(problem.batch * all, threads);
    int parts = Math.ceilDiv(all, Math.clamp(Math.min(most, perThread), 1, all));
    return Math.ceilDiv(all, parts);
  }

  /** Regions of a sequence that have different keys. */
  private long partsOfHeads() {
    return Math.ceilDiv(problem.kvHeads, kvHeadsPerRegion);
  }

  /** Rows of the only region that reads the keys of a head; no number if there are several. */
  long rowsOfOnlyRegion() {
    boolean only = regionsPerHead == 1 && headsPerRegion == problem.group();
    return only ? (long) kvHeadsPerRegion * headsPerRegion * rowsPerRegion : Long.MAX_VALUE;
  }

  /** Number of regions. */
  long count() {
    AttentionProblem p = problem;
    long perGroup = Math.ceilDiv(p.group(), headsPerRegion);
    return p.batch * partsOfHeads() * perGroup * regionsPerHead;
  }

  /** Sets a region by its number; whether it has any rows. */
  boolean describe(long task, AttentionRegion region) {
    AttentionProblem p = problem;
    int perGroup = Math.ceilDiv(p.group(), headsPerRegion);
    // The last regions of causal heads are the longest: they go first.
    int part = regionsPerHead - 1 - (int) (task % regionsPerHead);
    long rest = task / regionsPerHead;
    int inGroup = (int) (rest % perGroup) * headsPerRegion;
    long ofHeads = rest / perGroup;
    int kvHead = (int) (ofHeads % partsOfHeads()) * kvHeadsPerRegion;
    int kvHeads = Math.min(kvHeadsPerRegion, p.kvHeads - kvHead);
    long row = (long) part * rowsPerRegion;
    int rows = (int) Math.min(rowsPerRegion, p.queries - row);
    int heads = kvHeads * Math.min(headsPerRegion, p.group() - inGroup);
    long sequence = ofHeads / partsOfHeads();
    region.set(sequence, kvHead, kvHeads, kvHead * p.group() + inGroup, heads, row, rows);
    region.number = (int) task;
    return rows > 0;
  }
}
