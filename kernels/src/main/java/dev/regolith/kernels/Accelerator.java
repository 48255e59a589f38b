package dev.regolith.kernels;

import dev.regolith.kernels.backend.opencl.ClDevice;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A device that sessions can compute on, as its driver describes it.
 *
 * @param number what {@link SessionOptions#device} can be given
 * @param device name of the device
 * @param platform name and version of the driver's platform
 * @param driver version of the driver
 * @param kind CPU, GPU or accelerator
 * @param computeUnits it has
 * @param megahertz highest clock frequency
 * @param memoryBytes of global memory
 * @param largestBufferBytes that one operand can have
 * @param localMemoryBytes that a work-group shares
 * @param hindrance empty if sessions can compute on it, or the reason why not
 */
public record Accelerator(
    int number,
    String device,
    String platform,
    String driver,
    String kind,
    int computeUnits,
    int megahertz,
    long memoryBytes,
    long largestBufferBytes,
    long localMemoryBytes,
    String hindrance) {

  /** All OpenCL devices, in the order of their numbers; none if there is no OpenCL here. */
  public static List<Accelerator> all() {
    List<ClDevice> devices = ClDevice.all();
    return IntStream.range(0, devices.size()).mapToObj(i -> of(i, devices.get(i))).toList();
  }

  private static Accelerator of(int number, ClDevice device) {
    return new Accelerator(
        number,
        device.name(),
        device.platform() + ", " + device.platformVersion(),
        device.driver(),
        device.type().name(),
        device.computeUnits(),
        device.megahertz(),
        device.memory(),
        device.largestBuffer(),
        device.localMemory(),
        device.hindrance());
  }
}
