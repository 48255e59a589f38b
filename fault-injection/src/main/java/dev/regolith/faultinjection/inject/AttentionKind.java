package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.AttentionInput;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Scaled dot-product attention, on the CPU or on a device. */
final class AttentionKind implements Kind<AttentionWorkload> {
  private final Computing computing;
  private final Map<Integer, List<AttentionInput>> passes = new HashMap<>();

  AttentionKind(Computing computing) {
    this.computing = computing;
  }

  @Override
  public Kind<AttentionWorkload> by(Computing how) {
    return new AttentionKind(how);
  }

  @Override
  public List<Window<AttentionWorkload>> windows() {
    return AttentionWindows.of(computing);
  }

  @Override
  public List<AttentionWorkload> workloads(TrainedModel model, int text) {
    return AttentionWorkloads.of(model, text, passes);
  }

  @Override
  public Truth truth(AttentionWorkload workload) {
    return AttentionTruth.of(workload);
  }

  @Override
  public Setup setup(AttentionWorkload workload, Arm arm, Session session, Arena arena) {
    return new AttentionSetup(workload, arm, session, arena, computing);
  }
}
