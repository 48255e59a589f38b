package dev.regolith.kernels.backend.opencl;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClErrorTest {
  /** Codes of the standard's header, and what is told. */
  @ParameterizedTest
  @CsvSource({
    "-4, CL_MEM_OBJECT_ALLOCATION_FAILURE, device memory is exhausted",
    "-61, CL_INVALID_BUFFER_SIZE, device memory is exhausted",
    "-6, CL_OUT_OF_HOST_MEMORY, the host's memory",
    "-5, CL_OUT_OF_RESOURCES, the device is lost",
    "-36, CL_INVALID_COMMAND_QUEUE, the device is lost",
    "-11, CL_BUILD_PROGRAM_FAILURE, update the driver",
    "-1001, CL_PLATFORM_NOT_FOUND_KHR, install an OpenCL driver",
    "-52, CL_INVALID_KERNEL_ARGS, please report it",
    "-77777, OpenCL error -77777, please report it",
  })
  void theMessageNamesTheCallTheErrorAndTheRemedy(int code, String name, String remedy) {
    assertThat(new ClException("clEnqueueWriteBuffer", code))
        .hasMessageStartingWith("clEnqueueWriteBuffer failed with %s (%d): ", name, code)
        .hasMessageContaining(remedy);
  }

  /** Want of memory is for one call; after anything else a device is not asked again. */
  @Test
  void whatIsFatal() {
    for (int code = -2000; code < 0; code++) {
      boolean wantOfMemory = code == -4 || code == -6 || code == -61;
      assertThat(ClError.isFatal(code)).as("code %d", code).isEqualTo(!wantOfMemory);
    }
  }
}
