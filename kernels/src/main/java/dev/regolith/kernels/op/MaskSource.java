package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The mask of an attention, which reads it more than once: seals for the length of the call. A mask
 * that cannot be sealed where it lies, because it is of bytes or because its dimensions do not
 * fold, is read once, into a copy that can.
 */
final class MaskSource implements AutoCloseable {
  private static final long ROW = 4L * CheckBlock.COLUMNS;

  private final CallSource source = new CallSource();
  private final Scratch copy = new Scratch();
  private @Nullable Range copied;

  /** Seals the mask that a problem reads, or a copy, which the problem reads then. */
  void open(@Nullable Tensor mask, AttentionProblem p, Backend backend, long[] found, Workspace w) {
    if (mask == null || mask.elements() == 0) {
      return;
    }
    if (mask.dtype() == DType.FLOAT32 && mask.folds()) {
      source.open(mask, mask.range(), backend, found, w);
      return;
    }
    Visibility vis = p.visibility;
    long batch = vis.maskBatchStride == 0 ? 1 : p.batch;
    long heads = vis.maskHeadStride == 0 ? 1 : p.heads;
    long queries = vis.maskQueryStride == 0 ? 1 : p.queries;
    long keys = vis.maskKeyStride == 0 ? 1 : Math.min(p.keys, vis.maskKeys);
    long bytes = mask.dtype().bytes();
    long rows = Math.ceilDiv(batch * heads * queries * keys * bytes, ROW);
    MemorySegment memory = copy.atLeast(rows * ROW);
    memory.asSlice((rows - 1) * ROW, ROW).fill((byte) 0);
    long to = 0;
    for (long b = 0; b < batch; b++) {
      for (long h = 0; h < heads; h++) {
        for (long i = 0; i < queries; i++, to += keys * bytes) {
          copyRow(
              vis.maskMemory, vis.maskAt(b, h, i, 0), vis.maskKeyStride, bytes, keys, memory, to);
        }
      }
    }
    vis.maskMemory = memory;
    vis.maskOffset = 0;
    vis.maskKeyStride = keys == 1 ? 0 : 1;
    vis.maskQueryStride = queries == 1 ? 0 : keys;
    vis.maskHeadStride = heads == 1 ? 0 : queries * keys;
    vis.maskBatchStride = batch == 1 ? 0 : heads * queries * keys;
    source.open(memory, range(rows), backend, found, w);
  }

  private static void copyRow(
      MemorySegment from,
      long element,
      long stride,
      long bytes,
      long count,
      MemorySegment to,
      long at) {
    if (stride == 1) {
      MemorySegment.copy(from, element * bytes, to, at, count * bytes);
      return;
    }
    for (long j = 0; j < count; j++, element += stride, at += bytes) {
      if (bytes == 1) {
        to.set(ValueLayout.JAVA_BYTE, at, from.get(ValueLayout.JAVA_BYTE, element));
      } else {
        to.set(ValueLayout.JAVA_INT, at, from.getAtIndex(ValueLayout.JAVA_INT, element));
      }
    }
  }

  private Range range(long rows) {
    var known = copied;
    if (known == null || known.rows() != rows) {
      known = new Range(0, 1, rows, CheckBlock.COLUMNS, 0, CheckBlock.COLUMNS, 1);
      copied = known;
    }
    return known;
  }

  /** Tells the probe of the first sequence's and head's part of an additive mask. */
  static void probe(ProbePoint point, AttentionProblem p) {
    Visibility vis = p.visibility;
    for (long i = 0; vis.mask == Visibility.Mask.ADDITIVE && i < p.queries; i++) {
      long at = vis.maskAt(0, 0, i, 0);
      long keys = Math.min(p.keys, vis.maskKeys);
      Probe.reach(point, vis.maskMemory, 4 * at, keys, 4, 4 * vis.maskKeyStride);
    }
  }

  /** After its last use: what changed since the call began is put back. */
  Status verify(Scrubber scrubber) {
    return source.verify(scrubber);
  }

  /** Lets go of the caller's memory. */
  void forget() {
    source.forget();
  }

  @Override
  public void close() {
    copy.close();
  }
}
