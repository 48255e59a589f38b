package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.Device;
import dev.regolith.kernels.backend.device.DeviceInfo;
import dev.regolith.kernels.backend.device.DeviceInfo.Kind;
import dev.regolith.kernels.backend.device.DeviceInfo.Lack;
import dev.regolith.kernels.backend.device.Driver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Set;

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
            hindrance(device),
            lacks(device)));
  }

  @Override
  public Driver open() {
    return new ClDriver(handle, has(handle, DIVIDES_EXACTLY));
  }

  private static Kind kind(long bits) {
    if ((bits & 2) != 0) {
      return Kind.CPU;
    }
    return (bits & 4) != 0 ? Kind.GPU : Kind.ACCELERATOR;
  }

  /** Evidence rests on roundings that are to nearest, and on infinities that stay infinite. */
  private static String hindrance(long device) {
    boolean available = number(Cl.deviceInfo(device, 0x1027)) != 0;
    boolean compiler = number(Cl.deviceInfo(device, 0x1028)) != 0;
    if (!available || !compiler) {
      return "it is not available, or its driver has no compiler";
    }
    return has(device, INFINITIES | ROUNDS_TO_NEAREST)
        ? ""
        : "its float32 does not round to nearest, or has no infinities and NaN, so that nothing"
            + " could be said of its errors";
  }

  /** What else the canonical chain needs, whose bits are the CPU's. */
  private static Set<Lack> lacks(long device) {
    var lacks = EnumSet.noneOf(Lack.class);
    if (!has(device, DENORMALS)) {
      lacks.add(Lack.SUBNORMALS);
    }
    if (!has(device, FUSED)) {
      lacks.add(Lack.FUSED);
    }
    return lacks;
  }

  private static boolean has(long device, long properties) {
    return (number(Cl.deviceInfo(device, SINGLE_PRECISION)) & properties) == properties;
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
