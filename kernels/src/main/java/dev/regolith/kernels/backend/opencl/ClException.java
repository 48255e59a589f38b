package dev.regolith.kernels.backend.opencl;

/** A call of OpenCL failed; the message names the call, the error, and the remedy. */
final class ClException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int code;

  ClException(String call, int code) {
    this(call, code, "");
  }

  ClException(String call, int code, String detail) {
    super(
        "%s failed with %s (%d): %s%s"
            .formatted(call, ClError.name(code), code, ClError.remedy(code), detail));
    this.code = code;
  }

  /** Whether nothing more is to be expected of the device; false where it only lacks memory. */
  boolean isFatal() {
    return ClError.isFatal(code);
  }
}
