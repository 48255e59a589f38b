package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.DeviceException;

/** A call of CUDA's driver, or of NVRTC, failed. */
final class CudaException extends DeviceException {
  private static final long serialVersionUID = 1;

  private CudaException(String message, boolean fatal) {
    super(message, fatal);
  }

  /** The driver refused. */
  static CudaException ofDriver(String call, int code, String name) {
    return new CudaException(
        "%s failed with %s (%d): %s".formatted(call, name, code, CudaError.remedy(code)),
        CudaError.isFatal(code));
  }

  /** The compiler refused; nothing is wrong with the device, but nothing can be had of it. */
  static CudaException ofCompiler(String call, int code, String name, String detail) {
    return new CudaException(
        "%s failed with %s (%d): %s%s"
            .formatted(call, name, code, "NVRTC cannot compile the kernels: update it", detail),
        true);
  }
}
