package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.RowGuard;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.guard.SealedInput;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Seals over other cuts of an input's memory (of a tensor that the input is a slice of, say), which
 * are asked after the last use in a call.
 */
final class ForeignSeals {
  private SealedInput[] inputs = {};
  private int count;

  void clear() {
    for (int i = 0; i < count; i++) {
      inputs[i].memory = MemorySegment.NULL;
    }
    count = 0;
  }

  /** Takes note of those in force over a tensor, except the one over all of it. */
  void collect(Tensor tensor, Component component) {
    for (Watch watch : tensor.storage().watches()) {
      if (isForeign(watch, tensor)) {
        SealedInput input = next();
        input.set(component, tensor.storage().segment(), (SealGrid) watch, tensor.range(), false);
      }
    }
  }

  /** Asks them at once. */
  Status scrub(Tensor tensor, Scrubber scrubber, String operator) {
    Status worst = Status.CLEAN;
    for (Watch watch : tensor.storage().watches()) {
      if (isForeign(watch, tensor)) {
        Status status = scrubber.scrub(operator, tensor.storage().segment(), (SealGrid) watch);
        worst = worst.worse(status);
      }
    }
    return worst;
  }

  private static boolean isForeign(Watch watch, Tensor tensor) {
    return watch.inForce()
        && !watch.range().equals(tensor.range())
        && watch.range().intersects(tensor.range());
  }

  private SealedInput next() {
    if (count == inputs.length) {
      inputs = Arrays.copyOf(inputs, count + 4);
      for (int i = count; i < inputs.length; i++) {
        inputs[i] = new SealedInput();
      }
    }
    return inputs[count++];
  }

  /** Leaves out seals that the output shares: it had them suspended, and verified before that. */
  void dropSuspended() {
    int kept = 0;
    for (int i = 0; i < count; i++) {
      if (inputs[i].grid.inForce()) {
        SealedInput input = inputs[i];
        inputs[i] = inputs[kept];
        inputs[kept++] = input;
      }
    }
    count = kept;
  }

  /** Tasks of {@link #verify}: rows of check blocks. */
  long tasks() {
    long tasks = 0;
    for (int i = 0; i < count; i++) {
      tasks += tasks(inputs[i]);
    }
    return tasks;
  }

  private static long tasks(SealedInput input) {
    Range range = input.grid.range();
    return range.batch() * CheckBlock.down(range.rows());
  }

  /** Verifies a row of check blocks, as far as it was read, and puts back what changed. */
  void verify(long task, Backend backend, RowGuard guard, long[] found, Workspace workspace) {
    int i = 0;
    long blockRow = task;
    while (blockRow >= tasks(inputs[i])) {
      blockRow -= tasks(inputs[i]);
      i++;
    }
    SealedInput input = inputs[i];
    long across = CheckBlock.across(input.grid.range().columns());
    for (long block = blockRow * across; block < (blockRow + 1) * across; block++) {
      if (input.reads(block)) {
        backend.scan(input.memory, input.grid, block, found, workspace);
        if (!Seal.same(found, 0, input.grid.sums(), (int) (Seal.SUMS * block))) {
          mend(input, block, guard);
        }
      }
    }
  }

  private static void mend(SealedInput input, long block, RowGuard guard) {
    if (!guard.mends()) {
      guard.found(input.component);
      return;
    }
    Mended mended = input.grid.mend(input.memory, block);
    guard.found(input.component, mended);
    if (!mended.done()) {
      guard.lose();
    }
  }
}
