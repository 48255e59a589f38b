package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The result of an attention as a batch of matrices, whose words {@link Output} seals and delivers:
 * dimensions sorted by stride, those that lie within each other without a gap taken together.
 */
final class ResultView {
  private static final int DIMENSIONS = 4;

  private final HeadView heads = new HeadView();
  private final long[] sizes = new long[DIMENSIONS];
  private final long[] strides = new long[DIMENSIONS];
  private final long[] rowMajor = new long[DIMENSIONS];
  private final int[] order = new int[DIMENSIONS];
  private final long[] mergedSizes = new long[DIMENSIONS];
  private final long[] mergedStrides = new long[DIMENSIONS];
  private @Nullable Range range;

  /**
   * The matrices, or null if that takes more than three dimensions; of one sequence it never does.
   *
   * @param sideBySide heads of a tensor of rank 3
   */
  @Nullable Range of(Tensor out, int sideBySide) {
    heads.describe(out, sideBySide);
    put(0, heads.batch, heads.batchStride);
    put(1, heads.heads, heads.headStride);
    put(2, heads.rows, heads.rowStride);
    put(3, heads.columns, heads.columnStride);
    heads.forget();
    sort();
    int count = merge();
    for (int i = count; i < 3; i++) {
      mergedSizes[i] = 1;
      mergedStrides[i] = i == 0 ? 1 : 0;
    }
    if (count > 3) {
      return null;
    }
    var known = range;
    if (known == null || !isRangeOf(out.offset(), known)) {
      known =
          new Range(
              out.offset(),
              mergedSizes[2],
              mergedSizes[1],
              mergedSizes[0],
              mergedStrides[2],
              mergedStrides[1],
              mergedStrides[0]);
      range = known;
    }
    return known;
  }

  private boolean isRangeOf(long offset, Range r) {
    return r.offset() == offset
        && r.batch() == mergedSizes[2]
        && r.rows() == mergedSizes[1]
        && r.columns() == mergedSizes[0]
        && r.batchStride() == mergedStrides[2]
        && r.rowStride() == mergedStrides[1]
        && r.columnStride() == mergedStrides[0];
  }

  private void put(int d, long size, long stride) {
    sizes[d] = size;
    strides[d] = size > 1 ? stride : 0;
    order[d] = d;
  }

  /** By stride, the largest first; row-major strides of the same order. */
  private void sort() {
    for (int i = 1; i < DIMENSIONS; i++) {
      for (int j = i; j > 0 && strides[order[j]] > strides[order[j - 1]]; j--) {
        int swapped = order[j];
        order[j] = order[j - 1];
        order[j - 1] = swapped;
      }
    }
    long stride = 1;
    for (int i = DIMENSIONS - 1; i >= 0; i--) {
      rowMajor[order[i]] = stride;
      stride *= Math.max(1, sizes[order[i]]);
    }
  }

  /** From the innermost outwards; how many are left. */
  private int merge() {
    int count = 0;
    for (int i = DIMENSIONS - 1; i >= 0; i--) {
      long size = sizes[order[i]];
      long stride = strides[order[i]];
      boolean within = count > 0 && stride == mergedSizes[count - 1] * mergedStrides[count - 1];
      if (size == 1) {
        continue;
      }
      if (within) {
        mergedSizes[count - 1] *= size;
      } else {
        mergedSizes[count] = size;
        mergedStrides[count++] = stride;
      }
    }
    return count;
  }

  /**
   * How words are cut for the seals of a result that is all of them: into the rows that products
   * read, with their heads side by side; or as the tensor is.
   */
  Range cut(Tensor out) {
    boolean withinRows = heads.headStride <= heads.rowStride || heads.heads == 1;
    if (!withinRows && out.folds() && out.range().isDense()) {
      return out.range();
    }
    long columns = (long) heads.heads * heads.columns;
    return new Range(0, 1, heads.batch * heads.rows, columns, 0, columns, 1);
  }

  /** Tells a problem where rows are in words that stay with an accelerator. */
  void placeThere(AttentionProblem p, Tensor out) {
    p.out = MemorySegment.NULL;
    place(p, 4 * out.offset(), strides);
  }

  /** Tells a problem where rows go, once {@link Output} has decided where the matrices do. */
  void place(GemmProblem opened, AttentionProblem p, boolean copied) {
    p.out = opened.c;
    place(p, opened.cOffset, copied ? rowMajor : strides);
  }

  private static void place(AttentionProblem p, long offset, long[] steps) {
    p.outOffset = offset;
    p.outBatchStride = 4 * steps[0];
    p.outHeadStride = 4 * steps[1];
    p.outRowStride = 4 * steps[2];
    p.outStride = 4 * steps[3];
  }
}
