package dev.regolith.kernels.op;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.Tensor;

/** Which tensors may stay with an accelerator. */
public final class Residents {
  private Residents() {}

  /**
   * Whether a tensor is all there is in its memory, row-major, nobody else sees it, and no seal
   * speaks of less.
   */
  public static boolean isAlone(Tensor tensor) {
    Storage storage = tensor.storage();
    boolean words = tensor.dtype().bytes() == Float.BYTES;
    if (!words || !storage.mayLeave() || !tensor.folds()) {
      return false;
    }
    Range range = tensor.range();
    if (!range.isDense() || range.size() == 0 || 4 * range.size() != storage.place().byteSize()) {
      return false;
    }
    for (Watch watch : storage.watches()) {
      if (!watch.range().equals(range)) {
        return false;
      }
    }
    return true;
  }
}
