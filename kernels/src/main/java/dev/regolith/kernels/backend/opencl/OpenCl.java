package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.Device;
import dev.regolith.kernels.backend.device.DeviceApi;
import dev.regolith.kernels.backend.device.Experiment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What the system's OpenCL loader offers. */
public final class OpenCl implements DeviceApi {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels");

  @Override
  public String name() {
    return "OpenCL";
  }

  @Override
  public String absence() {
    return Cl.absence();
  }

  @Override
  public String remedy() {
    return "pocl-opencl-icd computes on any CPU";
  }

  @Override
  public Set<Experiment> experiments() {
    return EnumSet.of(Experiment.CUBLAS);
  }

  @Override
  public String prelude() {
    return "prelude.cl";
  }

  /** All devices of all platforms, in the loader's order; none if there is no loader. */
  @Override
  public List<Device> devices() {
    var devices = new ArrayList<Device>();
    if (!absence().isEmpty()) {
      return devices;
    }
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
  private static void addAll(long platform, List<Device> devices) {
    try {
      for (long device : Cl.devices(platform)) {
        devices.add(ClDevice.read(platform, device));
      }
    } catch (ClException e) {
      LOGGER.log(
          System.Logger.Level.WARNING,
          "an OpenCL platform does not describe its devices: " + e.getMessage());
    }
  }
}
