package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.Device;
import dev.regolith.kernels.backend.device.DeviceApi;
import dev.regolith.kernels.backend.device.Experiment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What NVIDIA's driver offers. */
public final class Cuda implements DeviceApi {
  @Override
  public String name() {
    return "CUDA";
  }

  @Override
  public String absence() {
    return Cu.absence();
  }

  @Override
  public String remedy() {
    return "NVIDIA's driver brings those of NVIDIA";
  }

  @Override
  public Set<Experiment> experiments() {
    return EnumSet.allOf(Experiment.class);
  }

  @Override
  public String prelude() {
    return "prelude.cu";
  }

  @Override
  public List<Device> devices() {
    var devices = new ArrayList<Device>();
    if (!absence().isEmpty()) {
      return devices;
    }
    try {
      int count = Cu.start();
      for (int i = 0; i < count; i++) {
        devices.add(CudaDevice.read(i));
      }
    } catch (CudaException e) {
      System.getLogger("dev.regolith.kernels")
          .log(System.Logger.Level.WARNING, "CUDA lists no devices: " + e.getMessage());
    }
    return devices;
  }
}
