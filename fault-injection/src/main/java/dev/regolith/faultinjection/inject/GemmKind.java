package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.List;

/** Matrix products, on the CPU or on a device. */
final class GemmKind implements Kind<GemmWorkload> {
  private final Computing computing;

  GemmKind(Computing computing) {
    this.computing = computing;
  }

  @Override
  public Kind<GemmWorkload> by(Computing how) {
    return new GemmKind(how);
  }

  @Override
  public List<Window<GemmWorkload>> windows() {
    return GemmWindows.of(computing);
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
    if (!session.isCanonical()) {
      throw new IllegalStateException(
          "a campaign compares products with their canonical bits, which those of \"%s\" have not:"
                  .formatted(session.configuration().get("products"))
              + " leave cublas out of -Ddev.regolith.kernels.experimental, or name another device");
    }
    return new GemmSetup(workload, arm, session, arena, computing);
  }
}
