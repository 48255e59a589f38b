package dev.regolith.kernels.backend.device;

import java.util.Locale;

/**
 * A device, as its driver describes it.
 *
 * @param name of the device
 * @param platform name and version of the driver's platform
 * @param driver version of the driver
 * @param kind what it is
 * @param computeUnits it has
 * @param megahertz highest clock frequency
 * @param memory bytes of global memory
 * @param largestBuffer bytes one buffer can have
 * @param localMemory bytes a work-group can share
 * @param workGroup most work-items in a group
 * @param vectorWidth floats in a vector of its own
 * @param hindrance why sessions cannot compute on it, or nothing
 * @param deviation what of IEEE 754 its float32 arithmetic does not promise, so that results may
 *     have other bits than the CPU's, within the envelope; or nothing
 */
public record DeviceInfo(
    String name,
    String platform,
    String driver,
    Kind kind,
    int computeUnits,
    int megahertz,
    long memory,
    long largestBuffer,
    long localMemory,
    long workGroup,
    int vectorWidth,
    String hindrance,
    String deviation) {
  /** Decides which tiles are tried. */
  public enum Kind {
    CPU,
    GPU,
    ACCELERATOR
  }

  /** Whether somebody who writes {@code words} means this device. */
  boolean isCalled(String words) {
    String all = (platform + " " + name).toLowerCase(Locale.ROOT);
    return all.contains(words.toLowerCase(Locale.ROOT));
  }

  /** Whether it promises the CPU's bits. */
  boolean isExact() {
    return deviation.isEmpty();
  }

  /** Device and driver. */
  String identity() {
    return String.join("|", platform, name, driver);
  }
}
