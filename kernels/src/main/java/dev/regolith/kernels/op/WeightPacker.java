package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.memory.NativeMemory;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Packs weights ahead of products, from any layout and, as panels hold float32, any type that
 * float32 has every value of. Thread-safe.
 */
final class WeightPacker {
  private static final String OPERATOR = "pack";
  private static final int ATTEMPTS = 100;

  private final Execution execution;
  private final boolean verify;

  WeightPacker(Execution execution) {
    this.execution = execution;
    verify = execution.protection() != Protection.OFF;
  }

  /** Packs a {@code [N, K]} matrix for use as {@code B = matrix^T}. */
  PackedB pack(Arena arena, Tensor weights) {
    if (weights.rank() != 2 || !(weights.dtype() == DType.FLOAT32 || Widened.takes(weights))) {
      throw new IllegalArgumentException(
          "pack takes a matrix [outFeatures, inFeatures] of FLOAT32, BFLOAT16 or FLOAT16, not "
              + weights);
    }
    Arguments.requireReachable("the weights", weights);
    if (weights.dtype() == DType.FLOAT32) {
      return pack(arena, weights, null);
    }
    try (var scratch = Arena.ofShared()) {
      var widened = new Widened(weights, scratch);
      return pack(arena, widened.tensor(), widened);
    }
  }

  /**
   * Packs float32 weights.
   *
   * @param widened where they come from, if they were not there before
   */
  private PackedB pack(Arena arena, Tensor weights, @Nullable Widened widened) {
    Tensor b = weights.transposed();
    var packed = new PackedB(execution.backend().panelColumns());
    packed.allocate(NativeMemory.in(arena), b.size(0), b.size(1));
    packed.checkable(verify);
    boolean changed = false;
    try (var workspace = execution.backend().newWorkspace()) {
      for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        // The source, if sealed, is verified after it was read; what was put back is read again.
        long mark = Repairs.OF_TENSORS.mark();
        if (widened != null) {
          widen(widened);
        }
        packAll(b, packed, workspace);
        if (verify) {
          execution.scrubber().scrub(OPERATOR, b);
        }
        boolean torn = verify && widened != null && !agrees(widened);
        changed |= torn;
        if (!torn && Repairs.OF_TENSORS.noneSince(mark)) {
          if (changed) {
            execution.scrubber().readAgain(OPERATOR, Component.OPERAND_B);
          }
          return packed;
        }
      }
    }
    throw new IllegalStateException(
        "weights change faster than they can be packed: is another thread writing them?");
  }

  private void packAll(Tensor b, PackedB packed, Workspace workspace) {
    Team team = execution.team();
    boolean together = team.canReach(b.storage().place()) && team.canReach(packed.panels());
    team.run(
        packed.blocks() * packed.kBlocks(),
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
  }

  private void widen(Widened widened) {
    Team team = execution.team();
    boolean together = team.canReach(widened.source());
    team.run(widened.rows(), (row, _) -> widened.widen(row), together);
    widened.probe();
  }

  /** Whether all words are still what the weights say, read once more. */
  private boolean agrees(Widened widened) {
    var differs = new AtomicBoolean();
    Team team = execution.team();
    boolean together = team.canReach(widened.source());
    team.run(
        widened.rows(),
        (row, _) -> {
          if (!widened.agrees(row)) {
            differs.set(true);
          }
        },
        together);
    return !differs.get();
  }
}
