package dev.regolith.kernels.guard;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.MemorySegment;

/** Memory under seals that a call read, to be verified after its last use. Reused. */
public final class SealedInput {
  private static final Range NOTHING = new Range(0, 0, 0, 0, 0, 0, 0);

  /** Which operand it is. */
  public Component component = Component.OUTPUT;

  /** The memory. */
  public MemorySegment memory = MemorySegment.NULL;

  /** Its seals. */
  public SealGrid grid = new SealGrid(NOTHING);

  /** The words of the memory that the call reads; the seals may cover more. */
  public Range read = NOTHING;

  /**
   * Whether copies of this memory, or seals of this call, have to be made again after a repair; not
   * for the seals of this call themselves.
   */
  public boolean copied;

  /**
   * Whether the backend compares every word it reads with the seals, so that they need not be
   * verified after the last use: what changes later is found by the next reader. Not any more, when
   * something else reads it.
   */
  public boolean inline;

  /** Sets all, for an input that is verified after its last use. */
  public void set(
      Component newComponent,
      MemorySegment newMemory,
      SealGrid newGrid,
      Range newRead,
      boolean newCopied) {
    component = newComponent;
    memory = newMemory;
    grid = newGrid;
    read = newRead;
    copied = newCopied;
    inline = false;
  }

  /** Whether the call reads any word of a block. */
  public boolean reads(long block) {
    long first = grid.word(block);
    long last =
        grid.word(block)
            + (grid.rows(block) - 1) * grid.range().rowStride()
            + (grid.columns(block) - 1) * grid.range().columnStride();
    return first <= read.last() && last >= read.offset();
  }
}
