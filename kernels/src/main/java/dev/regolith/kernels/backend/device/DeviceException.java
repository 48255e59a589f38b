package dev.regolith.kernels.backend.device;

/** A call of a driver failed; the message names the call, the error, and the remedy. */
public class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final boolean fatal;

  /**
   * A failure.
   *
   * @param fatal whether nothing more is to be expected of the device; false where it only lacks
   *     memory
   */
  public DeviceException(String message, boolean fatal) {
    super(message);
    this.fatal = fatal;
  }

  boolean isFatal() {
    return fatal;
  }
}
