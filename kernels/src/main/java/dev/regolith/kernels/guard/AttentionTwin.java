package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Computes a region of an attention a second time, into other memory, and compares bits, also those
 * of logarithms. Any NaN equals any NaN.
 */
final class AttentionTwin {
  private final Backend backend;
  private final Backend scalar;
  private final AttentionProblem problem = new AttentionProblem();
  private final AttentionRegion region = new AttentionRegion();
  private @Nullable Workspace workspace;
  private final Copy second = new Copy();
  private final Copy remembered = new Copy();

  /** A region's rows elsewhere: results one after the other, logarithms as far apart as ever. */
  private static final class Copy {
    MemorySegment out = MemorySegment.NULL;
    MemorySegment logSums = MemorySegment.NULL;

    void open(AttentionProblem p, AttentionRegion r) {
      out = atLeast(out, 4L * r.rows() * p.columns);
      if (hasLogSums(p)) {
        logSums = atLeast(logSums, logSum(p, r, r.rows() - 1) + 4);
      }
    }

    /** Byte of a row's logarithm. */
    static long logSum(AttentionProblem p, AttentionRegion r, int row) {
      return at(p, r, row) - at(p, r, 0);
    }

    private static long at(AttentionProblem p, AttentionRegion r, int row) {
      return p.lseAt(r.sequence, r.headOf(row), r.queryOf(row));
    }

    private static MemorySegment atLeast(MemorySegment memory, long bytes) {
      return memory.byteSize() >= bytes ? memory : Arena.ofAuto().allocate(bytes, 64);
    }
  }

  AttentionTwin(Backend backend, Backend scalar) {
    this.backend = backend;
    this.scalar = scalar;
  }

  private static boolean hasLogSums(AttentionProblem p) {
    return p.lse.address() != 0;
  }

  /** Keeps the bits that the result holds in a region. */
  void remember(AttentionProblem p, AttentionRegion r) {
    remembered.open(p, r);
    for (int row = 0; row < r.rows(); row++) {
      long at = p.result(r.sequence, r.headOf(row), r.queryOf(row));
      for (int c = 0; c < p.columns; c++) {
        int bits = p.out.get(ValueLayout.JAVA_INT, at + c * p.outStride);
        remembered.out.setAtIndex(ValueLayout.JAVA_INT, (long) row * p.columns + c, bits);
      }
      if (hasLogSums(p)) {
        int bits = p.lse.get(ValueLayout.JAVA_INT, Copy.at(p, r, row));
        remembered.logSums.set(ValueLayout.JAVA_INT, Copy.logSum(p, r, row), bits);
      }
    }
  }

  /** Whether the result holds the remembered bits. */
  boolean equalsRemembered(AttentionProblem p, AttentionRegion r) {
    return same(p, r, remembered);
  }

  /** Whether the same backend arrives at the bits that the result holds. */
  boolean repeats(AttentionProblem p, AttentionRegion r, Workspace w) {
    return compute(backend, w, p, r);
  }

  /** Whether the scalar twin does. */
  boolean reproduces(AttentionProblem p, AttentionRegion r) {
    if (workspace == null) {
      workspace = scalar.newWorkspace();
    }
    return compute(scalar, workspace, p, r);
  }

  private boolean compute(Backend computing, Workspace w, AttentionProblem p, AttentionRegion r) {
    second.open(p, r);
    problem.copyFrom(p);
    problem.verify = false;
    problem.lse = hasLogSums(p) ? second.logSums : MemorySegment.NULL;
    problem.lseOffset = p.lseOffset - Copy.at(p, r, 0);
    problem.out = second.out;
    problem.outStride = 4;
    problem.outRowStride = 4L * p.columns;
    problem.outHeadStride = r.queries * problem.outRowStride;
    problem.outBatchStride = 0;
    problem.outOffset = -r.head * problem.outHeadStride - r.query * problem.outRowStride;
    computing.attend(problem, region.set(r), w, AttentionSink.DEAF);
    return same(p, r, second);
  }

  private static boolean same(AttentionProblem p, AttentionRegion r, Copy other) {
    for (int row = 0; row < r.rows(); row++) {
      long at = p.result(r.sequence, r.headOf(row), r.queryOf(row));
      for (int c = 0; c < p.columns; c++) {
        float x = p.out.get(ValueLayout.JAVA_FLOAT, at + c * p.outStride);
        float y = other.out.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * p.columns + c);
        if (Float.floatToIntBits(x) != Float.floatToIntBits(y)) {
          return false;
        }
      }
      if (hasLogSums(p)) {
        float x = p.lse.get(ValueLayout.JAVA_FLOAT, Copy.at(p, r, row));
        float y = other.logSums.get(ValueLayout.JAVA_FLOAT, Copy.logSum(p, r, row));
        if (Float.floatToIntBits(x) != Float.floatToIntBits(y)) {
          return false;
        }
      }
    }
    return true;
  }

  /** Nothing plausible is left behind. */
  static void poison(AttentionProblem p, AttentionRegion r) {
    for (int row = 0; row < r.rows(); row++) {
      long at = p.result(r.sequence, r.headOf(row), r.queryOf(row));
      for (int c = 0; c < p.columns; c++) {
        p.out.set(ValueLayout.JAVA_FLOAT, at + c * p.outStride, Float.NaN);
      }
      if (hasLogSums(p)) {
        p.lse.set(
            ValueLayout.JAVA_FLOAT, p.lseAt(r.sequence, r.headOf(row), r.queryOf(row)), Float.NaN);
      }
    }
  }
}
