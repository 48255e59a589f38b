package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.List;

/** Matrix products, on the CPU or on a device. */
final class GemmKind implements Kind<GemmWorkload> {
  private final boolean onDevice;

  GemmKind(boolean onDevice) {
    this.onDevice = onDevice;
  }

  @Override
  public Kind<GemmWorkload> onDevice() {
    return new GemmKind(true);
  }

  @Override
  public List<Window<GemmWorkload>> windows() {
    return onDevice ? GemmWindows.ON_DEVICE : GemmWindows.ON_CPU;
  }

  @Override
  public List<GemmWorkload> workloads(TrainedModel model, int text) {
    return GemmWorkloads.of(model, text);
  }

  @Override
  public Truth truth(GemmWorkload workload) {
    return GemmTruth.of(workload);
  }

  @Override
  public Setup setup(GemmWorkload workload, Arm arm, Session session, Arena arena) {
    return new GemmSetup(workload, arm, session, arena, onDevice);
  }
}
