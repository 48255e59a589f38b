package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.memory.NativeMemory;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;

/** Matrix multiplication: argument checks, and calls in flight. Thread-safe. */
public final class Gemm implements AutoCloseable {
  private final Execution execution;
  private final Calls<GemmCall> calls;

  /** The operator of a session. */
  public Gemm(Execution execution) {
    this.execution = execution;
    calls = new Calls<>(() -> new GemmCall(execution));
  }

  /** {@code C = alpha A B + beta C}. */
  public Status multiply(float alpha, Tensor a, Tensor b, float beta, Tensor c) {
    GemmArguments.check(a, b, c);
    GemmCall call = calls.take();
    try {
      return call.run(alpha, a, b, null, beta, c);
    } finally {
      calls.giveBack(call);
    }
  }

  /** {@code C = alpha A B + beta C} with a packed B. */
  public Status multiply(float alpha, Tensor a, PackedB b, float beta, Tensor c) {
    GemmArguments.check(a, b.depth(), b.columns(), c);
    requireFitting(b);
    GemmCall call = calls.take();
    try {
      return call.run(alpha, a, null, b, beta, c);
    } finally {
      calls.giveBack(call);
    }
  }

  private void requireFitting(PackedB b) {
    if (!b.panels().scope().isAlive()) {
      throw new IllegalStateException(
          "the packed matrix is gone: the session or arena it was packed into is closed");
    }
    if (!b.panels().isAccessibleBy(Thread.currentThread())) {
      throw new IllegalStateException(
          "the packed matrix lies in an arena that is confined to another thread; use"
              + " Arena.ofShared()");
    }
    boolean checkable = b.isCheckable() || execution.protection() == Protection.OFF;
    if (!checkable || b.panelColumns() != execution.backend().panelColumns()) {
      throw new IllegalArgumentException(
          "the matrix was packed by a session that computes or protects differently"
              + " (%d columns a panel, %s check vectors); pack it with this session"
                  .formatted(b.panelColumns(), b.isCheckable() ? "with" : "without"));
    }
  }

  /** Packs a {@code [N, K]} matrix for use as {@code B = matrix^T}. */
  public PackedB pack(Arena arena, Tensor weights) {
    if (weights.dtype() != DType.FLOAT32 || weights.rank() != 2) {
      throw new IllegalArgumentException(
          "pack takes a FLOAT32 matrix [outFeatures, inFeatures], not " + weights);
    }
    Tensor b = weights.transposed();
    boolean verify = execution.protection() != Protection.OFF;
    var packed = new PackedB(execution.backend().panelColumns());
    packed.allocate(NativeMemory.in(arena), b.size(0), b.size(1));
    packed.checkable(verify);
    var workspace = execution.backend().newWorkspace();
    long tasks = packed.blocks() * packed.kBlocks();
    Team team = execution.team();
    boolean together = team.canReach(b.storage().place()) && team.canReach(packed.panels());
    Runnable packAll =
        () ->
            team.run(
                tasks,
                (task, worker) ->
                    execution
                        .backend()
                        .pack(
                            b.storage().segment(),
                            b.range(),
                            0,
                            packed,
                            task / packed.kBlocks(),
                            (int) (task % packed.kBlocks()),
                            verify,
                            worker == 0 ? workspace : execution.helpers().get(worker - 1)),
                together);
    long mark;
    do {
      // The source, if sealed, is verified after it was read; what was put back is read again.
      mark = Repairs.OF_TENSORS.mark();
      packAll.run();
      if (verify) {
        execution.scrubber().scrub("pack", b);
      }
    } while (!Repairs.OF_TENSORS.noneSince(mark));
    return packed;
  }

  /** Verifies packed weights, and puts back what changed. */
  public Status verify(PackedB b) {
    requireFitting(b);
    return b.isCheckable() ? execution.scrubber().scrub("verify", b) : Status.CLEAN;
  }

  /** Frees the buffers; no call may be in flight. */
  @Override
  public void close() {
    calls.close();
  }
}
