package dev.regolith.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CudaErrorTest {
  /** Names that the driver gives, what is told, and whether the device is not asked again. */
  @ParameterizedTest
  @CsvSource({
    "CUDA_ERROR_OUT_OF_MEMORY, is exhausted, false",
    "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, please report it, false",
    "CUDA_ERROR_INVALID_VALUE, please report it, false",
    "CUDA_ERROR_ECC_UNCORRECTABLE, the device is lost, true",
    "CUDA_ERROR_ILLEGAL_ADDRESS, the device is lost, true",
    "CUDA_ERROR_LAUNCH_FAILED, the device is lost, true",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED, destroyed the device's context, true",
    "CUDA_ERROR_NO_DEVICE, regolith doctor, true",
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION, update it, true",
    "CUBLAS_STATUS_ALLOC_FAILED, do without cuBLAS, false",
    "CUBLAS_STATUS_EXECUTION_FAILED, the device is lost, true",
    "CUDA_ERROR_OF_A_LATER_VERSION, please report it, true",
  })
  void theMessageNamesTheCallTheErrorAndTheRemedy(String name, String remedy, boolean fatal) {
    assertThat(CudaException.ofDriver("cuLaunchKernel", 42, name))
        .hasMessageStartingWith("cuLaunchKernel failed with %s (42): ", name)
        .hasMessageContaining(remedy);
    assertThat(CudaError.isFatal(name)).isEqualTo(fatal);
  }
}
