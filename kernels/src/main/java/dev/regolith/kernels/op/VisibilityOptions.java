package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** What options say of the keys that a query sees, and how, in the words of a backend. */
final class VisibilityOptions {
  private VisibilityOptions() {}

  /** Describes it, for a problem's sequences, the first of which is so many into the options'. */
  static void describe(AttentionOptions o, int firstSequence, AttentionProblem p) {
    Visibility vis = p.visibility;
    describeLengths(o, firstSequence, p);
    vis.left = o.left() < 0 ? Visibility.UNBOUNDED : Math.min(o.left(), Visibility.UNBOUNDED);
    vis.right = o.right() < 0 ? Visibility.UNBOUNDED : Math.min(o.right(), Visibility.UNBOUNDED);
    vis.softcap = o.softcap();
    vis.slopes = o.slopes();
    describeMask(o.mask(), firstSequence, vis);
  }

  private static void describeLengths(AttentionOptions o, int firstSequence, AttentionProblem p) {
    Visibility vis = p.visibility;
    int sequences = Math.toIntExact(p.batch);
    if (vis.origins.length < sequences) {
      vis.origins = new long[sequences];
      vis.keyLengths = new long[sequences];
      vis.queryLengths = new long[sequences];
    }
    long[] keyLengths = o.keyLengths();
    long[] queryLengths = o.queryLengths();
    for (int s = 0; s < sequences; s++) {
      vis.keyLengths[s] =
          p.pages != null
              ? p.pages[s].length()
              : keyLengths == null ? p.keys : keyLengths[firstSequence + s];
      vis.queryLengths[s] = queryLengths == null ? p.queries : queryLengths[firstSequence + s];
      vis.origins[s] = o.originOf(vis.queryLengths[s], vis.keyLengths[s]);
    }
  }

  /** Where a mask lies, with strides of 0 where it is broadcast. */
  private static void describeMask(@Nullable Tensor mask, int firstSequence, Visibility vis) {
    vis.mask =
        mask == null
            ? Visibility.Mask.NONE
            : mask.dtype() == DType.BOOL ? Visibility.Mask.BOOLEAN : Visibility.Mask.ADDITIVE;
    vis.maskKeys = Visibility.UNBOUNDED;
    if (mask != null) {
      vis.maskKeys = mask.size(-1) == 1 ? Visibility.UNBOUNDED : mask.size(-1);
      vis.maskMemory = mask.storage().segment();
      vis.maskBatchStride = stride(mask, 4);
      vis.maskOffset = mask.offset() + firstSequence * vis.maskBatchStride;
      vis.maskHeadStride = stride(mask, 3);
      vis.maskQueryStride = stride(mask, 2);
      vis.maskKeyStride = stride(mask, 1);
    }
  }

  /** Stride of the last, last but one, ... dimension of a mask; 0 where it is broadcast. */
  private static long stride(Tensor mask, int fromLast) {
    return mask.rank() < fromLast || mask.size(-fromLast) == 1 ? 0 : mask.stride(-fromLast);
  }
}
