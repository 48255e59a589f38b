package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * B: packed ahead, packed for the length of the call, panel by panel while it is computed, or
 * multiplied where it lies.
 */
final class RightOperand implements AutoCloseable, PackedB.Source {
  private static final Range NONE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final Backend backend;
  private final boolean verify;
  private final PackedB fresh;
  private MemorySegment source = MemorySegment.NULL;
  private Range range = NONE;
  private long tasks;
  private boolean passing;

  RightOperand(Backend backend, boolean verify) {
    this.backend = backend;
    this.verify = verify;
    this.fresh = new PackedB(backend.panelColumns());
  }

  /**
   * Takes up a tensor or a packed matrix, exactly one of them.
   *
   * @param once whether each panel is read by one region only: then the backend packs, if it can
   */
  void open(@Nullable Tensor b, @Nullable PackedB packed, boolean once, GemmProblem problem) {
    tasks = 0;
    passing = false;
    problem.packedAhead = packed != null && problem.depth > 0;
    if (packed != null && problem.packedAhead) {
      problem.b = packed;
      return;
    }
    // A product of depth 0 reads no B: it is packed as a matrix without rows.
    boolean read = b != null && problem.depth > 0;
    range = b != null && read ? b.range() : NONE;
    source = b != null && read ? b.storage().segment() : MemorySegment.NULL;
    long matrices = read ? range.batch() : 1;
    problem.b = fresh;
    // What is multiplied where it lies, by whoever, is verified there after its last use.
    boolean directly =
        b != null
            && read
            && (!verify || LeftOperand.isSealedWhole(b))
            && backend.multipliesDirectly(problem, source, range);
    passing = read && once && backend.packsItself() && !directly;
    if (passing || directly) {
      fresh.reshape(matrices, problem.depth, problem.columns, this);
    } else {
      fresh.reshape(matrices, problem.depth, problem.columns);
      tasks = allTasks();
    }
    if (passing || directly) {
      problem.openSource(source, range, directly);
    }
  }

  private long allTasks() {
    return fresh.matrices() * fresh.blocks() * fresh.kBlocks();
  }

  /**
   * Tasks of {@link #pack}: one per check block of columns and k-block; 0 if B was packed ahead, or
   * is packed while computing, or not at all.
   */
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

  /**
   * Has panels and their records anew that are beyond repair. Of panels that were not kept, only
   * those that were packed will do: other results of the call were computed from them.
   *
   * @return whether there is a source to do that from
   */
  boolean renew(PackedB used, Workspace workspace) {
    if (passing && used == fresh) {
      fresh.copyFrom(this);
      return fresh.isIntact() && packAgain(used, workspace);
    }
    return packAgain(used, workspace);
  }

  /** Packs everything again; whether there is something to pack from. */
  boolean packAgain(PackedB used, Workspace workspace) {
    if (used != fresh) {
      return false;
    }
    passing = false;
    fresh.keepPanels();
    fresh.renew();
    for (long task = 0; task < allTasks(); task++) {
      pack(task, workspace);
    }
    return true;
  }

  @Override
  public void copyPanels(PackedB packed, long matrix, long block, MemorySegment panels) {
    int width = packed.panelColumns();
    for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
      int depth = packed.depthOf(kBlock);
      for (int i = 0; i < packed.panelsOf(block); i++) {
        long to = packed.panelOffset(packed.panel(matrix, block) + i, kBlock);
        long k = (long) kBlock * PackedB.DEPTH;
        long j = block * CheckBlock.COLUMNS + (long) i * width;
        long columns = Math.min(width, packed.columns() - j);
        if (columns < width) {
          panels.asSlice(to, 4L * depth * width).fill((byte) 0);
        }
        Staging.gather(source, range, matrix, k, depth, j, columns, panels, to, 4L * width);
      }
    }
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
