package dev.regolith.kernels.backend.device;

/** A device that a driver knows of. */
public interface Device {
  /** What the driver says of it. */
  DeviceInfo info();

  /**
   * Takes it into use.
   *
   * @throws DeviceException if the driver refuses
   */
  Driver open();
}
