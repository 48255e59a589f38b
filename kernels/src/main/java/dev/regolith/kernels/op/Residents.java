package dev.regolith.kernels.op;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Which tensors may stay with an accelerator. */
public final class Residents {
  private Residents() {}

  /**
   * Whether a tensor is all there is in its memory, row-major, nobody else sees it, and no seal
   * speaks of less, or of another cut.
   */
  public static boolean isAlone(Tensor tensor) {
    if (!isWhole(tensor)) {
      return false;
    }
    for (Watch watch : tensor.storage().watches()) {
      if (watch.inForce() && !watch.range().equals(tensor.range())) {
        return false;
      }
    }
    return true;
  }

  /** The same, but that seals may be of another cut, into other rows, of all the words. */
  static boolean isWhole(Tensor tensor) {
    boolean words = tensor.dtype().bytes() == Float.BYTES;
    return words && tensor.folds() && isWhole(tensor.storage(), tensor.range());
  }

  /** The same of 32-bit words that are cut in some way. */
  static boolean isWhole(Storage storage, Range range) {
    if (!storage.mayLeave() || !isAll(storage, range)) {
      return false;
    }
    for (Watch watch : storage.watches()) {
      if (watch.inForce() && !isAll(storage, watch.range())) {
        return false;
      }
    }
    return true;
  }

  private static boolean isAll(Storage storage, Range range) {
    return range.isDense() && range.size() > 0 && 4 * range.size() == storage.place().byteSize();
  }

  /** Seals in force of all words of a storage that {@link #isWhole}, however cut; or null. */
  static @Nullable SealGrid sealsOf(Storage storage) {
    for (Watch watch : storage.watches()) {
      if (watch.inForce()) {
        return (SealGrid) watch;
      }
    }
    return null;
  }
}
