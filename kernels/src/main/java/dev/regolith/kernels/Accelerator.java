package dev.regolith.kernels;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.device.DeviceInfo;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A device that sessions can compute on, as its driver describes it.
 *
 * @param compute the backend that it belongs to
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
 * @param largestWorkGroup most work-items that compute together
 * @param vectorWidth floats in a vector of its own
 * @param hindrance empty if sessions can compute on it, or the reason why not
 * @param deviation empty if products are promised to have the CPU's bits there, or what of IEEE 754
 *     its driver does not promise (docs/accelerators.md, "Other bits")
 */
public record Accelerator(
    Compute compute,
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
    long largestWorkGroup,
    int vectorWidth,
    String hindrance,
    String deviation) {

  /**
   * The devices of a backend, in the order of their numbers; none if it has no driver here.
   *
   * @param compute an accelerator
   */
  public static List<Accelerator> all(Compute compute) {
    var devices = Backends.api(compute).devices();
    return IntStream.range(0, devices.size())
        .mapToObj(i -> of(compute, i, devices.get(i).info()))
        .toList();
  }

  /**
   * What would make a device for a backend that has none here.
   *
   * @param compute an accelerator
   */
  public static String remedy(Compute compute) {
    var api = Backends.api(compute);
    return api.absence().isEmpty() ? api.remedy() : api.absence();
  }

  private static Accelerator of(Compute compute, int number, DeviceInfo device) {
    return new Accelerator(
        compute,
        number,
        device.name(),
        device.platform(),
        device.driver(),
        device.kind().name(),
        device.computeUnits(),
        device.megahertz(),
        device.memory(),
        device.largestBuffer(),
        device.localMemory(),
        device.workGroup(),
        device.vectorWidth(),
        device.hindrance(),
        device.deviation());
  }
}
