package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.List;

/** Scaled dot-product attention. */
final class AttentionKind implements Kind<AttentionWorkload> {
  @Override
  public List<Window<AttentionWorkload>> windows() {
    return AttentionWindows.ALL;
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
    return new AttentionSetup(workload, arm, session, arena);
  }
}
