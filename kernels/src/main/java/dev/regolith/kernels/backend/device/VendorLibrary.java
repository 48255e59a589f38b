package dev.regolith.kernels.backend.device;

/**
 * A library in which a vendor multiplies matrices on its devices: in an order of its own, so that
 * results have the library's bits, within the envelope of docs/numerics.md. Thread-safe.
 */
public interface VendorLibrary {
  /** Its name and version, for people. */
  String name();

  /**
   * Products on a queue.
   *
   * @throws DeviceException if the library refuses
   */
  VendorGemm open(CommandQueue queue);
}
