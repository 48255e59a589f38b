package dev.regolith.kernels.memory;

/** The words of a {@link Storage} in the memory of a device. */
public interface Remote {
  /**
   * Copies them into the segment of their storage.
   *
   * @throws RuntimeException if the device does not give them back
   */
  void fetch(Storage storage);

  /** They are the storage's no more: the device may use their memory for others. */
  void release();
}
