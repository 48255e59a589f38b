package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Arrivals;
import dev.regolith.kernels.guard.FaultLog;
import dev.regolith.kernels.guard.Probation;
import dev.regolith.kernels.guard.Scrubber;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * With what operators of a session compute.
 *
 * @param team the calling thread and its helpers
 * @param helpers buffers of the helpers: worker {@code i} has {@code helpers.get(i - 1)}
 * @param backend what computes
 * @param twin the diverse path of the ladder
 * @param log where incidents go
 * @param scrubber verifies seals outside of a product
 * @param protection what to do about faults
 * @param probation when an accelerator is taken out of service
 * @param arrivals looks at what an accelerator gives back; null if there is none
 */
public record Execution(
    Team team,
    List<Workspace> helpers,
    Backend backend,
    Backend twin,
    FaultLog log,
    Scrubber scrubber,
    Protection protection,
    Probation probation,
    @Nullable Arrivals arrivals) {
  /** A call of this thread begins. */
  public void begin() {
    if (arrivals != null) {
      arrivals.begin();
    }
  }

  /** What this thread's call comes to, with what came back from an accelerator during it. */
  public Status worst(Status status) {
    return arrivals == null ? status : arrivals.worst(status);
  }

  /** The same of a call that has a result, for whoever listens. */
  Status conclude(String operator, Status status, EvidenceLevel evidence) {
    Status worst = worst(status);
    if (protection != Protection.OFF) {
      log.called(operator, worst, evidence);
    }
    return worst;
  }
}
