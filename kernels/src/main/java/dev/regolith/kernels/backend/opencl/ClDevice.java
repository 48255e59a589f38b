package dev.regolith.kernels.backend.opencl;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A device, as it describes itself.
 *
 * @param handle of the device
 * @param name of the device
 * @param platform name of the driver's platform
 * @param platformVersion of the platform
 * @param driver version of the driver
 * @param type what it is
 * @param computeUnits it has
 * @param megahertz highest clock frequency
 * @param memory bytes of global memory
 * @param largestBuffer bytes one buffer can have
 * @param localMemory bytes a work-group can share
 * @param workGroup most work-items in a group
 * @param vectorWidth floats in a vector of its own
 * @param floats {@code CL_DEVICE_SINGLE_FP_CONFIG}
 * @param available whether it takes work, and has a compiler
 */
public record ClDevice(
    long handle,
    String name,
    String platform,
    String platformVersion,
    String driver,
    Type type,
    int computeUnits,
    int megahertz,
    long memory,
    long largestBuffer,
    long localMemory,
    long workGroup,
    int vectorWidth,
    long floats,
    boolean available) {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels");
  private static final int DENORMALS = 1;
  private static final int INFINITIES = 1 << 1;
  private static final int ROUNDS_TO_NEAREST = 1 << 2;
  private static final int FUSED = 1 << 5;

  /** What a device is: decides which tiles are tried. */
  public enum Type {
    CPU,
    GPU,
    ACCELERATOR;

    static Type of(long bits) {
      if ((bits & 2) != 0) {
        return CPU;
      }
      return (bits & 4) != 0 ? GPU : ACCELERATOR;
    }
  }

  /** All devices of all platforms, in the loader's order; none if there is no loader. */
  public static List<ClDevice> all() {
    if (!Cl.isPresent()) {
      return List.of();
    }
    var devices = new ArrayList<ClDevice>();
    try {
      for (long platform : Cl.platforms()) {
        addAll(platform, devices);
      }
    } catch (ClException e) {
      LOGGER.log(System.Logger.Level.WARNING, "OpenCL lists no platforms: " + e.getMessage());
    }
    return devices;
  }

  /** One broken driver does not hide the devices of the others. */
  private static void addAll(long platform, List<ClDevice> devices) {
    try {
      for (long device : Cl.devices(platform)) {
        devices.add(read(platform, device));
      }
    } catch (ClException e) {
      LOGGER.log(
          System.Logger.Level.WARNING,
          "an OpenCL platform does not describe its devices: " + e.getMessage());
    }
  }

  private static ClDevice read(long platform, long device) {
    return new ClDevice(
        device,
        text(Cl.deviceInfo(device, 0x102B)),
        text(Cl.platformInfo(platform, 0x0902)),
        text(Cl.platformInfo(platform, 0x0901)),
        text(Cl.deviceInfo(device, 0x102D)),
        Type.of(number(Cl.deviceInfo(device, 0x1000))),
        (int) number(Cl.deviceInfo(device, 0x1002)),
        (int) number(Cl.deviceInfo(device, 0x100C)),
        number(Cl.deviceInfo(device, 0x101F)),
        number(Cl.deviceInfo(device, 0x1010)),
        number(Cl.deviceInfo(device, 0x1023)),
        number(Cl.deviceInfo(device, 0x1004)),
        (int) number(Cl.deviceInfo(device, 0x103A)),
        number(Cl.deviceInfo(device, 0x101B)),
        number(Cl.deviceInfo(device, 0x1027)) != 0 && number(Cl.deviceInfo(device, 0x1028)) != 0);
  }

  /**
   * Why sessions cannot compute on it, or nothing. Its float32 arithmetic has to be that of IEEE
   * 754 where the canonical chain needs it, so that its bits are those of the CPU.
   */
  public String hindrance() {
    long needed = DENORMALS | INFINITIES | ROUNDS_TO_NEAREST | FUSED;
    if (!available) {
      return "it is not available, or its driver has no compiler";
    }
    return (floats & needed) == needed
        ? ""
        : "it has no correctly rounded float32 with fused multiply-add, subnormals and infinities,"
            + " so its results would not have the canonical bits";
  }

  /** Whether somebody who writes {@code words} means this device. */
  boolean isCalled(String words) {
    String all = (platform + " " + name).toLowerCase(Locale.ROOT);
    return all.contains(words.toLowerCase(Locale.ROOT));
  }

  /** Text as OpenCL gives it, with a zero behind. */
  static String text(byte[] bytes) {
    int length = bytes.length;
    while (length > 0 && bytes[length - 1] == 0) {
      length--;
    }
    return new String(bytes, 0, length, StandardCharsets.UTF_8).strip();
  }

  private static long number(byte[] bytes) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    return bytes.length >= Long.BYTES ? buffer.getLong() : buffer.getInt();
  }
}
