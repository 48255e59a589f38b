package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.List;

/** Scaled dot-product attention, on the CPU or on a device. */
final class AttentionKind implements Kind<AttentionWorkload> {
  private final boolean onDevice;

  AttentionKind(boolean onDevice) {
    this.onDevice = onDevice;
  }

  @Override
  public Kind<AttentionWorkload> onDevice() {
    return new AttentionKind(true);
  }

  @Override
  public List<Window<AttentionWorkload>> windows() {
    return onDevice ? AttentionWindows.ON_DEVICE : AttentionWindows.ON_CPU;
  }

  @Override
  public List<AttentionWorkload> workloads(TrainedModel model, int text) {
    return AttentionWorkloads.of(model, text);
  }

  @Override
  public Truth truth(AttentionWorkload workload) {
    return AttentionTruth.of(workload);
  }

  @Override
  public Setup setup(AttentionWorkload workload, Arm arm, Session session, Arena arena) {
    return new AttentionSetup(workload, arm, session, arena, onDevice);
  }
}
