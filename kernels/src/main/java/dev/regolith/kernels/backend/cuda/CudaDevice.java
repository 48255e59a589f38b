package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.Device;
import dev.regolith.kernels.backend.device.DeviceInfo;
import dev.regolith.kernels.backend.device.DeviceInfo.Kind;
import dev.regolith.kernels.backend.device.Driver;
import java.util.Set;

/**
 * A GPU.
 *
 * @param handle of the device
 * @param capability what it can: ten times the major number of its compute capability, and the
 *     minor
 */
record CudaDevice(int handle, int capability, DeviceInfo info) implements Device {
  private static final int THREADS_IN_BLOCK = 1;
  private static final int SHARED_MEMORY = 8;
  private static final int KILOHERTZ = 13;
  private static final int MULTIPROCESSORS = 16;
  private static final int MAJOR = 75;
  private static final int MINOR = 76;

  static CudaDevice read(int number) {
    int handle = Cu.device(number);
    int version = Cu.version();
    int major = Cu.attribute(handle, MAJOR);
    int minor = Cu.attribute(handle, MINOR);
    long memory = Cu.deviceMemory(handle);
    return new CudaDevice(
        handle,
        10 * major + minor,
        new DeviceInfo(
            Cu.deviceName(handle),
            "NVIDIA CUDA, compute capability %d.%d".formatted(major, minor),
            "for CUDA %d.%d".formatted(version / 1000, version % 1000 / 10),
            Kind.GPU,
            Cu.attribute(handle, MULTIPROCESSORS),
            Cu.attribute(handle, KILOHERTZ) / 1000,
            memory,
            memory,
            Cu.attribute(handle, SHARED_MEMORY),
            Cu.attribute(handle, THREADS_IN_BLOCK),
            1,
            Nvrtc.absence(),
            Set.of()));
  }

  @Override
  public Driver open() {
    return new CudaDriver(this);
  }
}
