package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** B: packed ahead, or packed for the length of the call. */
final class RightOperand implements AutoCloseable {
  private static final Range NONE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final Backend backend;
  private final boolean verify;
  private final PackedB fresh;
  private MemorySegment source = MemorySegment.NULL;
  private Range range = NONE;
  private long tasks;

  RightOperand(Backend backend, boolean verify) {
    this.backend = backend;
    this.verify = verify;
    this.fresh = new PackedB(backend.panelColumns());
  }

  /** Takes up a tensor or a packed matrix, exactly one of them. */
  void open(@Nullable Tensor b, @Nullable PackedB packed, GemmProblem problem) {
    tasks = 0;
    if (packed != null && problem.depth > 0) {
      problem.b = packed;
      return;
    }
    // A product of depth 0 reads no B: it is packed as a matrix without rows.
    boolean read = b != null && problem.depth > 0;
    range = b != null && read ? b.range() : NONE;
    source = b != null && read ? b.storage().segment() : MemorySegment.NULL;
    long matrices = read ? range.batch() : 1;
    fresh.reshape(matrices, problem.depth, problem.columns);
    problem.b = fresh;
    tasks = matrices * fresh.blocks() * fresh.kBlocks();
  }

  /** Tasks of {@link #pack}: one per check block of columns and k-block; 0 if packed ahead. */
  long tasks() {
    return tasks;
  }

  /** Packs the columns of a check block in a k-block. */
  void pack(long task, Workspace workspace) {
    int kBlock = (int) (task % fresh.kBlocks());
    long block = task / fresh.kBlocks() % fresh.blocks();
    long matrix = task / fresh.kBlocks() / fresh.blocks();
    backend.pack(source, range, matrix, fresh, block, kBlock, verify, workspace);
  }

  /** Packs everything again; whether there is something to pack from. */
  boolean packAgain(Workspace workspace) {
    fresh.renew();
    for (long task = 0; task < tasks; task++) {
      pack(task, workspace);
    }
    return tasks > 0;
  }

  /** Reads from a copy of the source from here on, with one word put back. */
  MemorySegment patch(long word, int changedBits) {
    source = Staging.patched(source, word, changedBits);
    return source;
  }

  /** Lets go of the caller's memory. */
  void forget() {
    source = MemorySegment.NULL;
  }

  @Override
  public void close() {
    fresh.release();
  }
}
