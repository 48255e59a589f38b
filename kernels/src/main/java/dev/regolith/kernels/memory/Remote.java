package dev.regolith.kernels.memory;

import org.jspecify.annotations.Nullable;

/** The words of a {@link Storage} in the memory of a device. */
public interface Remote {
  /**
   * Copies them into the segment of their storage, alone with it.
   *
   * @return what is left to be said of it when nothing is held any more; null if nothing
   * @throws RuntimeException if the device does not give them back
   */
  @Nullable Runnable fetch(Storage storage);

  /** They are the storage's no more: the device may use their memory for others. */
  void release();
}
