package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.DeviceException;

/** A call of CUDA's driver, of NVRTC or of cuBLAS failed. */
final class CudaException extends DeviceException {
  private static final long serialVersionUID = 1;
  private static final int COMPILATION = 6;
  private static final int BUILTINS = 7;

  private CudaException(String message, boolean fatal) {
    super(message, fatal);
  }

  /** The driver, or cuBLAS, refused. */
  static CudaException ofDriver(String call, int code, String name) {
    return new CudaException(
        "%s failed with %s (%d): %s".formatted(call, name, code, CudaError.remedy(name)),
        CudaError.isFatal(name));
  }

  /** The compiler refused: nothing is wrong with the device, but nothing can be had of it. */
  static CudaException ofCompiler(String call, int code, String name, String detail) {
    return new CudaException(
        "%s failed with %s (%d): %s%s".formatted(call, name, code, remedy(code), detail), true);
  }

  private static String remedy(int code) {
    return switch (code) {
      case COMPILATION -> "the kernels are not what this NVRTC takes: update it";
      case BUILTINS -> "NVRTC comes without its builtins: install the whole of it";
      default -> "please report it with the output of 'regolith doctor'";
    };
  }

  /** The compiler knows nothing as old as the device. */
  static CudaException tooNew(String version, int capability) {
    return new CudaException(
        "NVRTC %s does not compile for devices of compute capability %d.%d any more: install an"
                .formatted(version, capability / 10, capability % 10)
            + " older one, or name it with -Ddev.regolith.kernels.nvrtc.library",
        true);
  }
}
