package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.DeviceException;
import dev.regolith.kernels.backend.device.VendorGemm;
import dev.regolith.kernels.backend.device.VendorLibrary;

/** cuBLAS on one device. */
record CuBlasLibrary(CudaDriver driver, String name) implements VendorLibrary {
  /** Looks for it, and has it look at the device. */
  static CuBlasLibrary open(CudaDriver driver) {
    if (!CuBlas.absence().isEmpty()) {
      throw new DeviceException(CuBlas.absence(), false);
    }
    try (var queue = new CudaQueue(driver);
        var products = new CuBlasGemm(driver, queue)) {
      return new CuBlasLibrary(driver, "cuBLAS " + products.version());
    }
  }

  @Override
  public VendorGemm open(CommandQueue queue) {
    return new CuBlasGemm(driver, (CudaQueue) queue);
  }
}
