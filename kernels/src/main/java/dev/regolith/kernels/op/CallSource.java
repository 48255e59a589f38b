package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * An operand that a call reads more than once. Where nobody sealed it, it is sealed before the
 * first read: otherwise a word that changes between two reads makes the second, which verifies the
 * first, refute a good result, and everything is then computed from the changed word.
 */
final class CallSource {
  private final CallSeals seals = new CallSeals();
  private @Nullable SealGrid grid;
  private MemorySegment memory = MemorySegment.NULL;

  /**
   * Takes up an operand and seals it, unless it brought its own seals.
   *
   * @param range its words
   */
  void open(Tensor tensor, Range range, Backend backend, long[] found, Workspace workspace) {
    forget();
    if (tensor.dtype() != DType.FLOAT32 || isSealedWhole(tensor, range)) {
      return;
    }
    seal(tensor.storage().segment(), range, backend, found, workspace);
  }

  /** Takes up words that the call has to itself, and seals them. */
  void open(MemorySegment words, Range range, Backend backend, long[] found, Workspace workspace) {
    forget();
    seal(words, range, backend, found, workspace);
  }

  private void seal(
      MemorySegment words, Range range, Backend backend, long[] found, Workspace workspace) {
    var own = seals.of(range);
    grid = own;
    memory = words;
    long tasks = range.batch() * CheckBlock.down(range.rows());
    for (long task = 0; task < tasks; task++) {
      SealedCopy.seal(backend, memory, own, task, found, workspace);
    }
  }

  private static boolean isSealedWhole(Tensor tensor, Range range) {
    for (Watch watch : tensor.storage().watches()) {
      boolean covers = watch.range().equals(range) || watch.range().covers(range);
      if (watch.inForce() && covers) {
        return true;
      }
    }
    return false;
  }

  /** After its last use: what changed since the call began is put back. */
  Status verify(Scrubber scrubber) {
    SealGrid own = grid;
    return own == null ? Status.CLEAN : scrubber.scrub("attention", memory, own);
  }

  /** Lets go of the memory. */
  void forget() {
    grid = null;
    memory = MemorySegment.NULL;
  }
}
