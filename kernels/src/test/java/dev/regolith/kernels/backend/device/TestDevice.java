package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.cuda.Cuda;
import dev.regolith.kernels.backend.opencl.OpenCl;

/** The device that tests of devices are about in this JVM. */
final class TestDevice {
  private TestDevice() {}

  static DeviceApi api() {
    return "cuda".equals(System.getProperty("dev.regolith.kernels.compute"))
        ? new Cuda()
        : new OpenCl();
  }

  static Device device() {
    return new DeviceChoice(api()).choose("");
  }
}
