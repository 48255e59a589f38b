package dev.regolith.kernels.backend.cuda;

/** Error codes of CUDA's driver ({@code cuda.h}) that ask for something, and what. */
final class CudaError {
  private static final int OUT_OF_MEMORY = 2;

  private CudaError() {}

  /** What somebody can do about it. */
  static String remedy(int code) {
    return switch (code) {
      case OUT_OF_MEMORY ->
          "device memory is exhausted: close other sessions, or compute in smaller parts";
      case 100, 101 -> "there is no such device: see 'regolith doctor'";
      case 3, 34, 36, 803, 804 ->
          "the driver does not fit the device or the system: reinstall or update it";
      case 46, 201 -> "the device is taken by another process, or forbidden to this one";
      case 200, 209, 218, 222, 300 -> "the driver does not take the compiled kernels: update it";
      case 214, 220, 600, 700, 702, 710, 714, 715, 716, 717, 718, 719, 999 ->
          "the device is lost: look at the system's log (NVRM, Xid), or reset it";
      default -> "please report it with the output of 'regolith doctor'";
    };
  }

  /** Whether nothing more is to be expected of the device. */
  static boolean isFatal(int code) {
    return code != OUT_OF_MEMORY;
  }
}
