package dev.regolith.kernels.backend.device;

import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

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
 * @param lacks what of IEEE 754 its driver does not promise of float32
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
    Set<Lack> lacks) {
  /** Decides which tiles are tried. */
  public enum Kind {
    CPU,
    GPU,
    ACCELERATOR
  }

  /** What products need to have the CPU's bits, and evidence can do without. */
  public enum Lack {
    SUBNORMALS("subnormal numbers"),
    FUSED("a fused multiply-add");

    private final String text;

    Lack(String text) {
      this.text = text;
    }
  }

  /** Whether somebody who writes {@code words} means this device. */
  boolean isCalled(String words) {
    String all = (platform + " " + name).toLowerCase(Locale.ROOT);
    return all.contains(words.toLowerCase(Locale.ROOT));
  }

  /** Whether it promises the CPU's bits. */
  boolean isExact() {
    return lacks.isEmpty();
  }

  /** The same for people: what its float32 is without, or nothing. */
  public String deviation() {
    return lacks.isEmpty()
        ? ""
        : lacks.stream()
            .sorted()
            .map(lack -> lack.text)
            .collect(Collectors.joining(" and ", "float32 without ", ""));
  }

  /** Device and driver. */
  String identity() {
    return String.join("|", platform, name, driver);
  }
}
