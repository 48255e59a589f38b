package dev.regolith.kernels.backend.device;

import java.util.List;
import java.util.Set;

/** A way to devices: what a system has of OpenCL, or of CUDA. */
public interface DeviceApi {
  /** What people call it. */
  String name();

  /** Why there is none of it on this system, with the remedy; empty if there is. */
  String absence();

  /** What would make a device, where it has none. */
  String remedy();

  /** All devices, in its own order; a driver that does not answer is logged and passed over. */
  List<Device> devices();

  /** What has not been run on any device of this kind, and is left out unless it is asked for. */
  Set<Experiment> experiments();

  /** The source that comes before every kernel: a resource in the package of its class. */
  String prelude();
}
