package dev.regolith.kernels.backend.device;

/**
 * A device in use. Objects are closed by who asked for them, before this is. Every method throws
 * {@link DeviceException} when the driver refuses. Thread-safe, but for a queue, and a kernel,
 * which are for one thread at a time.
 */
public interface Driver extends AutoCloseable {
  /** Device memory; its contents are whatever they are. */
  DeviceObject newMemory(long bytes);

  /** A queue of commands. */
  CommandQueue newQueue();

  /**
   * The vendor's library of matrix products.
   *
   * @throws DeviceException that is not fatal if there is none, with the remedy
   */
  default VendorLibrary vendorLibrary() {
    throw new DeviceException("no vendor's library of products is known for this device", false);
  }

  /** Compiles a program from source; what the compiler says against it is in the exception. */
  Compiled compile(String source, String options);

  /**
   * A program from the binary of one, compiled by any process with the same device and compiler.
   */
  DeviceObject load(byte[] binary, String options);

  /** What compiles, and with which options of its own: binaries of another are not for this one. */
  String compiler();

  /** A kernel of a program, with arguments of its own. */
  DeviceObject newKernel(DeviceObject program, String name);

  @Override
  void close();
}
