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

  private final AttentionProblem problem = new AttentionProblem();
  private final AttentionRegion one = new AttentionRegion();
  private final MemorySegment row =
      Arena.ofAuto().allocate(4L * (AttentionProblem.MAX_COLUMNS + 1), 64);

  /** Whether the host arrives at what is stored of a row. */
  boolean isReproduced(
      AttentionProblem p, AttentionRegion region, int number, Backend host, Workspace workspace) {
    int head = region.headOf(number);
    long query = region.queryOf(number);
    problem.copyFrom(p);
    problem.verify = false;
    problem.out = row;
    problem.outOffset = 0;
    problem.outBatchStride = 0;
    problem.outHeadStride = 0;
    problem.outRowStride = 0;
    problem.outStride = Float.BYTES;
    one.set(region.sequence, p.kvHeadOf(head), head, 1, query, 1);
    boolean logarithm = p.lse.address() != 0;
    problem.lse = logarithm ? row : MemorySegment.NULL;
    problem.lseOffset =
        4L * AttentionProblem.MAX_COLUMNS - p.lseAt(region.sequence, head, query) + p.lseOffset;
    host.attend(problem, one, workspace, AttentionSink.DEAF);
    problem.copyFrom(NOTHING); // the caller's memory is let go of
    if (logarithm
        && !same(
            row.get(ValueLayout.JAVA_FLOAT, 4L * AttentionProblem.MAX_COLUMNS),
            p.lse.get(ValueLayout.JAVA_FLOAT, p.lseAt(region.sequence, head, query)))) {
      return false;
    }
    long at = p.result(region.sequence, head, query);
    for (int c = 0; c < p.columns; c++) {
      float mine = row.get(ValueLayout.JAVA_FLOAT, 4L * c);
      float stored = p.out.get(ValueLayout.JAVA_FLOAT, at + c * p.outStride);
      if (!same(mine, stored)) {
        return false;
      }
    }
    return true;
  }

  private static boolean same(float x, float y) {
    return Float.floatToIntBits(x) == Float.floatToIntBits(y);
  }
}
