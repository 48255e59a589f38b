package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.AttentionInput;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Scaled dot-product attention, on the CPU or on a device. */
final class AttentionKind implements Kind<AttentionWorkload> {
  private static final String LEFT_OUT = "experimentsLeftOut";

  private final Computing computing;

  /** Forward passes of a model from somewhere in its text on, which windows of it share. */
  private final Map<AttentionWorkloads.Pass, List<AttentionInput>> passes =
      new ConcurrentHashMap<>();

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

  /** Without checks on a device there is nothing to strike of them. */
  @Override
  public List<Window<AttentionWorkload>> windows(Map<String, String> configuration) {
    boolean checks = !configuration.getOrDefault(LEFT_OUT, "").contains("checks");
    return windows().stream()
        .filter(window -> checks || !window.points().contains(ProbePoint.DEVICE_CHECKS))
        .toList();
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
