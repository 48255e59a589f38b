package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.memory.NativeMemory;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;

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
    if (weights.rank() != 2) {
      throw new IllegalArgumentException(
          "pack takes a matrix [outFeatures, inFeatures], not " + weights);
    }
    Arguments.requireFloats(OPERATOR, "the weights", weights);
    Arguments.requireReachable("the weights", weights);
    try (var workspace = execution.backend().newWorkspace();
        var wide = new WideTensor(OPERATOR, execution, workspace)) {
      if (!weights.dtype().isHalf()) {
        return pack(arena, weights, workspace);
      }
      Tensor widened = wide.open(weights, false);
      wide.widen();
      PackedB packed = pack(arena, widened, workspace);
      if (isFinite(packed)) {
        packed.type(weights.dtype());
      }
      return packed;
    }
  }

  private PackedB pack(Arena arena, Tensor weights, Workspace workspace) {
    Tensor b = weights.transposed();
    var packed = new PackedB(execution.backend().panelColumns());
    packed.allocate(NativeMemory.in(arena), b.size(0), b.size(1));
    packed.checkable(verify);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      // The source, if sealed, is verified after it was read; what was put back is read again.
      long mark = Repairs.OF_TENSORS.mark();
      packAll(b, packed, workspace);
      if (verify) {
        execution.scrubber().scrub(OPERATOR, b);
      }
      if (Repairs.OF_TENSORS.noneSince(mark)) {
        return packed;
      }
    }
    throw new IllegalStateException(
        "weights change faster than they can be packed: is another thread writing them?");
  }

  private boolean isFinite(PackedB packed) {
    boolean finite = true;
    for (long panel = 0; finite && panel < packed.panelCount(); panel++) {
      for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
        long at = packed.panelOffset(panel, kBlock);
        finite &= execution.backend().isFinite(packed.panels(), at, packed.panelWords(kBlock));
      }
    }
    return finite;
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
}
