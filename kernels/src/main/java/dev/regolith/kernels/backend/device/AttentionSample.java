package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** One row of an attention, computed by the host as well. Any NaN equals any NaN. */
final class AttentionSample {
  private static final AttentionProblem NOTHING = new AttentionProblem();
  private static final long LOGARITHM = 4L * AttentionProblem.MAX_COLUMNS;

  private final AttentionProblem problem = new AttentionProblem();
  private final AttentionRegion one = new AttentionRegion();
  private final MemorySegment own = Arena.ofAuto().allocate(LOGARITHM + 4, 64);
  private final MemorySegment query = Arena.ofAuto().allocate(4L * AttentionProblem.MAX_DEPTH, 64);
  private final MemorySegment stored = Arena.ofAuto().allocate(LOGARITHM, 64);

  /** Room for a query that is not the problem's to read here. */
  MemorySegment query() {
    return query;
  }

  /** Room for a row of the result that is not here. */
  MemorySegment stored() {
    return stored;
  }

  /** Whether the host arrives at what is stored of a row. */
  boolean isReproduced(
      AttentionProblem p, AttentionRegion region, int number, Backend host, Workspace workspace) {
    open(p);
    compute(p, region, number, host, workspace);
    int head = region.headOf(number);
    long row = region.queryOf(number);
    boolean logarithm = p.lse.address() != 0;
    return (!logarithm || same(LOGARITHM, p.lse, p.lseAt(region.sequence, head, row)))
        && same(p.out, p.result(region.sequence, head, row), p.outStride, p.columns);
  }

  /** Whether the host arrives, from {@link #query}, at what {@link #stored} is. */
  boolean isReproducedThere(
      AttentionProblem p, AttentionRegion region, int number, Backend host, Workspace workspace) {
    open(p);
    problem.q = query;
    problem.qOffset = 0;
    problem.qBatchStride = 0;
    problem.qHeadStride = 0;
    problem.qRowStride = 0;
    problem.qStride = Float.BYTES;
    compute(p, region, number, host, workspace);
    return same(stored, 0, Float.BYTES, p.columns);
  }

  private void open(AttentionProblem p) {
    problem.copyFrom(p);
    problem.verify = false;
    problem.out = own;
    problem.outOffset = 0;
    problem.outBatchStride = 0;
    problem.outHeadStride = 0;
    problem.outRowStride = 0;
    problem.outStride = Float.BYTES;
  }

  private void compute(
      AttentionProblem p, AttentionRegion region, int number, Backend host, Workspace workspace) {
    int head = region.headOf(number);
    long row = region.queryOf(number);
    one.set(region.sequence, p.kvHeadOf(head), head, 1, row, 1);
    problem.lse = p.lse.address() != 0 ? own : MemorySegment.NULL;
    problem.lseOffset = LOGARITHM - p.lseAt(region.sequence, head, row) + p.lseOffset;
    host.attend(problem, one, workspace, AttentionSink.DEAF);
    problem.copyFrom(NOTHING); // the caller's memory is let go of
  }

  private boolean same(MemorySegment memory, long at, long stride, int columns) {
    boolean same = true;
    for (int c = 0; c < columns; c++) {
      same &= same(4L * c, memory, at + c * stride);
    }
    return same;
  }

  private boolean same(long mine, MemorySegment memory, long theirs) {
    float x = own.get(ValueLayout.JAVA_FLOAT, mine);
    float y = memory.get(ValueLayout.JAVA_FLOAT, theirs);
    return Float.floatToIntBits(x) == Float.floatToIntBits(y);
  }
}
