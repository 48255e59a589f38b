package dev.regolith.kernels.backend.vector;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.memory.Scratch;
import java.lang.foreign.MemorySegment;

/**
 * Where the panels of a check block's k-block are: among all the others, or, if they are packed
 * while computing, in a place of a thread's own that the next check block takes over, so that it
 * stays in its L2.
 */
final class PanelPlace {
  private final Scratch passing = new Scratch();
  private MemorySegment memory = MemorySegment.NULL;
  private long first;
  private long stride;

  /** Has the panels among all the others. */
  void keep(PackedB b, long panel, int kBlock) {
    memory = b.panelsWith(panel);
    first = b.panelOffset(panel, kBlock);
    stride = b.panelStride();
  }

  /** Has the panels in the place that passes from block to block. */
  void pass(PackedB b, int kBlock) {
    first = 0;
    stride = 4L * b.panelWords(kBlock);
    memory = passing.atLeast(stride * b.panelsPerBlock());
  }

  /** The memory they lie in. */
  MemorySegment memory() {
    return memory;
  }

  /** First byte of a panel, counted from the block's first. */
  long offset(int panel) {
    return first + panel * stride;
  }

  /** Bytes from a panel to the next. */
  long stride() {
    return stride;
  }

  /** Lets go of panels that somebody else keeps. */
  void forget() {
    memory = MemorySegment.NULL;
  }

  /** Frees the place. */
  void close() {
    memory = MemorySegment.NULL;
    passing.close();
  }
}
