package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.guard.FaultLog;
import dev.regolith.kernels.guard.Probation;
import dev.regolith.kernels.guard.Scrubber;
import java.util.List;

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
 */
public record Execution(
    Team team,
    List<Workspace> helpers,
    Backend backend,
    Backend twin,
    FaultLog log,
    Scrubber scrubber,
    Protection protection,
    Probation probation) {}
