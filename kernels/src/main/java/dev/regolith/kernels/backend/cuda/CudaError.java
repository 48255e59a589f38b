package dev.regolith.kernels.backend.cuda;

/**
 * Errors of CUDA's driver and of cuBLAS ({@code cuda.h, cublas_api.h}), by name: what to do about
 * some, and what they mean.
 */
final class CudaError {
  private CudaError() {}

  /** What somebody can do about it. */
  static String remedy(String name) {
    return switch (name) {
      case "CUDA_ERROR_OUT_OF_MEMORY" ->
          "the device's memory, or what the host can pin, is exhausted: close other sessions, or"
              + " compute in smaller parts";
      case "CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_INVALID_DEVICE" ->
          "there is no such device: see 'regolith doctor'";
      case "CUDA_ERROR_NOT_INITIALIZED",
          "CUDA_ERROR_STUB_LIBRARY",
          "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
          "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE" ->
          "the driver does not fit the device or the system: reinstall or update it";
      case "CUDA_ERROR_SYSTEM_NOT_READY" ->
          "the system is not ready: on machines with NVSwitch the fabric manager has to run";
      case "CUDA_ERROR_DEVICE_UNAVAILABLE" ->
          "the device is taken by another process, or forbidden to this one";
      case "CUDA_ERROR_INVALID_CONTEXT", "CUDA_ERROR_CONTEXT_IS_DESTROYED" ->
          "something else in this process destroyed the device's context (cudaDeviceReset does)";
      case "CUDA_ERROR_INVALID_IMAGE",
          "CUDA_ERROR_NO_BINARY_FOR_GPU",
          "CUDA_ERROR_INVALID_PTX",
          "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
          "CUDA_ERROR_INVALID_SOURCE",
          "CUDA_ERROR_JIT_COMPILER_NOT_FOUND" ->
          "the driver does not take the compiled kernels: update it";
      case "CUDA_ERROR_ECC_UNCORRECTABLE",
          "CUDA_ERROR_NVLINK_UNCORRECTABLE",
          "CUDA_ERROR_ILLEGAL_ADDRESS",
          "CUDA_ERROR_ILLEGAL_INSTRUCTION",
          "CUDA_ERROR_MISALIGNED_ADDRESS",
          "CUDA_ERROR_INVALID_ADDRESS_SPACE",
          "CUDA_ERROR_INVALID_PC",
          "CUDA_ERROR_HARDWARE_STACK_ERROR",
          "CUDA_ERROR_LAUNCH_TIMEOUT",
          "CUDA_ERROR_LAUNCH_FAILED",
          "CUDA_ERROR_CONTAINED",
          "CUDA_ERROR_UNKNOWN" ->
          "the device is lost: look at the system's log (NVRM, Xid), or reset it";
      case "CUBLAS_STATUS_NOT_INITIALIZED" ->
          "the driver may be older than this cuBLAS: update it, or name another with"
              + " -Ddev.regolith.kernels.cublas.library";
      case "CUBLAS_STATUS_ALLOC_FAILED" ->
          "the device's memory is exhausted: close other sessions, or do without cuBLAS";
      case "CUBLAS_STATUS_ARCH_MISMATCH", "CUBLAS_STATUS_NOT_SUPPORTED" ->
          "this cuBLAS does not know the device: update it, or do without";
      case "CUBLAS_STATUS_EXECUTION_FAILED",
          "CUBLAS_STATUS_MAPPING_ERROR",
          "CUBLAS_STATUS_INTERNAL_ERROR" ->
          "the device is lost: look at the system's log (NVRM, Xid), or reset it";
      default -> "please report it with the output of 'regolith doctor'";
    };
  }

  /**
   * Whether nothing more is to be expected of the device; false where only this call asked for too
   * much.
   */
  static boolean isFatal(String name) {
    return switch (name) {
      case "CUDA_ERROR_OUT_OF_MEMORY",
          "CUDA_ERROR_INVALID_VALUE",
          "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
          "CUBLAS_STATUS_NOT_INITIALIZED",
          "CUBLAS_STATUS_ALLOC_FAILED",
          "CUBLAS_STATUS_INVALID_VALUE",
          "CUBLAS_STATUS_ARCH_MISMATCH",
          "CUBLAS_STATUS_NOT_SUPPORTED",
          "CUBLAS_STATUS_LICENSE_ERROR" ->
          false;
      default -> true;
    };
  }
}
