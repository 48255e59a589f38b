package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.DeviceException;

/** A call of OpenCL failed. */
final class ClException extends DeviceException {
  private static final long serialVersionUID = 1;

  ClException(String call, int code) {
    this(call, code, "");
  }

  ClException(String call, int code, String detail) {
    super(
        "%s failed with %s (%d): %s%s"
            .formatted(call, ClError.name(code), code, ClError.remedy(code), detail),
        ClError.isFatal(code));
  }
}
