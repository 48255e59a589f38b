package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a mask that cannot be sealed where it lies, because it is of bytes, or because its
 * dimensions do not fold: read once, row after row without gaps, sealed as words.
 */
final class MaskCopy implements AutoCloseable {
  private final Scratch scratch = new Scratch();
  private @Nullable Range range;

  /** Copies a mask, and makes it what attention reads. */
  MemorySegment open(Tensor mask, Visibility visibility, long firstSequence) {
    long batch = extent(mask, 4);
    long heads = extent(mask, 3);
    long queries = extent(mask, 2);
    long keys = extent(mask, 1);
    long bytes = mask.dtype().bytes();
    long row = 4L * CheckBlock.COLUMNS;
    long rows = Math.ceilDiv(batch * heads * queries * keys * bytes, row);
    MemorySegment copy = scratch.atLeast(rows * row);
    copy.asSlice((rows - 1) * row, row).fill((byte) 0);
    long to = 0;
    for (long b = 0; b < batch; b++) {
      for (long h = 0; h < heads; h++) {
        for (long i = 0; i < queries; i++, to += keys * bytes) {
          long from = mask.offset() + b * stride(mask, 4) + h * stride(mask, 3);
          copyRow(mask, from + i * stride(mask, 2), stride(mask, 1), keys, copy, to);
        }
      }
    }
    visibility.maskMemory = copy;
    visibility.maskKeyStride = keys == 1 ? 0 : 1;
    visibility.maskQueryStride = queries == 1 ? 0 : keys;
    visibility.maskHeadStride = heads == 1 ? 0 : queries * keys;
    visibility.maskBatchStride = batch == 1 ? 0 : heads * queries * keys;
    visibility.maskOffset = firstSequence * visibility.maskBatchStride;
    return copy;
  }

  private static void copyRow(
      Tensor mask, long from, long stride, long keys, MemorySegment copy, long to) {
    MemorySegment memory = mask.storage().segment();
    long bytes = mask.dtype().bytes();
    if (stride == 1) {
      MemorySegment.copy(memory, from * bytes, copy, to, keys * bytes);
      return;
    }
    for (long j = 0; j < keys; j++) {
      if (bytes == 1) {
        copy.set(ValueLayout.JAVA_BYTE, to + j, memory.get(ValueLayout.JAVA_BYTE, from));
      } else {
        int word = memory.getAtIndex(ValueLayout.JAVA_INT, from);
        copy.set(ValueLayout.JAVA_INT, to + 4 * j, word);
      }
      from += stride;
    }
  }

  /** Its words. */
  Range range(Tensor mask) {
    long elements = extent(mask, 4) * extent(mask, 3) * extent(mask, 2) * extent(mask, 1);
    long rows = Math.ceilDiv(elements * mask.dtype().bytes(), 4L * CheckBlock.COLUMNS);
    var known = range;
    if (known == null || known.rows() != rows) {
      known = new Range(0, 1, rows, CheckBlock.COLUMNS, 0, CheckBlock.COLUMNS, 1);
      range = known;
    }
    return known;
  }

  private static long extent(Tensor mask, int fromLast) {
    return mask.rank() < fromLast ? 1 : mask.size(-fromLast);
  }

  private static long stride(Tensor mask, int fromLast) {
    return mask.rank() < fromLast ? 0 : mask.stride(-fromLast);
  }

  @Override
  public void close() {
    scratch.close();
  }
}
