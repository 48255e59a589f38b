package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.List;

/** Operators of rows, on the CPU or on a device. */
final class RowsKind implements Kind<RowsWorkload> {
  private final Computing computing;

  RowsKind(Computing computing) {
    this.computing = computing;
  }

  @Override
  public Kind<RowsWorkload> by(Computing how) {
    return new RowsKind(how);
  }

  @Override
  public List<Window<RowsWorkload>> windows() {
    return RowsWindows.of(computing);
  }

  @Override
  public List<RowsWorkload> workloads(TrainedModel model, int text) {
    return RowsWorkloads.of(model, text);
  }

  @Override
  public Truth truth(RowsWorkload workload) {
    return RowsTruth.of(workload);
  }

  @Override
  public Setup setup(RowsWorkload workload, Arm arm, Session session, Arena arena) {
    return new RowsSetup(workload, arm, session, arena, computing);
  }
}
