package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.Device;
import dev.regolith.kernels.backend.device.DeviceInfo;
import dev.regolith.kernels.backend.device.DeviceInfo.Kind;
import dev.regolith.kernels.backend.device.Driver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A device of a platform.
 *
 * @param handle of the device
 */
record ClDevice(long handle, DeviceInfo info) implements Device {
  private static final int SINGLE_PRECISION = 0x101B;
  private static final int DENORMALS = 1;
  private static final int INFINITIES = 1 << 1;
  private static final int ROUNDS_TO_NEAREST = 1 << 2;
  private static final int FUSED = 1 << 5;
  private static final int DIVIDES_EXACTLY = 1 << 7;

  static ClDevice read(long platform, long device) {
    return new ClDevice(
        device,
        new DeviceInfo(
            text(Cl.deviceInfo(device, 0x102B)),
            text(Cl.platformInfo(platform, 0x0902))
                + ", "
                + text(Cl.platformInfo(platform, 0x0901)),
            text(Cl.deviceInfo(device, 0x102D)),
            kind(number(Cl.deviceInfo(device, 0x1000))),
            (int) number(Cl.deviceInfo(device, 0x1002)),
            (int) number(Cl.deviceInfo(device, 0x100C)),
            number(Cl.deviceInfo(device, 0x101F)),
            number(Cl.deviceInfo(device, 0x1010)),
            number(Cl.deviceInfo(device, 0x1023)),
            number(Cl.deviceInfo(device, 0x1004)),
            (int) number(Cl.deviceInfo(device, 0x103A)),
            hindrance(device)));
  }

  @Override
  public Driver open() {
    long floats = number(Cl.deviceInfo(handle, SINGLE_PRECISION));
    return new ClDriver(handle, (floats & DIVIDES_EXACTLY) != 0);
  }

  private static Kind kind(long bits) {
    if ((bits & 2) != 0) {
      return Kind.CPU;
    }
    return (bits & 4) != 0 ? Kind.GPU : Kind.ACCELERATOR;
  }

  /**
   * Its float32 arithmetic has to be that of IEEE 754 where the canonical chain needs it, so that
   * its bits are those of the CPU.
   */
  private static String hindrance(long device) {
    boolean available = number(Cl.deviceInfo(device, 0x1027)) != 0;
    boolean compiler = number(Cl.deviceInfo(device, 0x1028)) != 0;
    if (!available || !compiler) {
      return "it is not available, or its driver has no compiler";
    }
    long floats = number(Cl.deviceInfo(device, SINGLE_PRECISION));
    long needed = DENORMALS | INFINITIES | ROUNDS_TO_NEAREST | FUSED;
    return (floats & needed) == needed
        ? ""
        : "it has no correctly rounded float32 with fused multiply-add, subnormals and infinities,"
            + " so its results would not have the canonical bits";
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
