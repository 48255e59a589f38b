package dev.regolith.kernels.backend;

import dev.regolith.kernels.backend.PackedB.Source;
import dev.regolith.kernels.memory.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Where an operand's panels are: kept as they are packed, or copied when somebody asks for them.
 * Any number of threads ask at the same time.
 */
final class PanelMemory implements AutoCloseable {
  private final PackedB packed;
  private final Scratch room = new Scratch();

  /** Where copies come from; null if panels are kept, or all of them were copied. */
  private volatile @Nullable Source source;

  /** Check blocks, of all matrices, that were copied. */
  private final BitSet copied = new BitSet();

  private MemorySegment panels = MemorySegment.NULL;

  /** None yet. */
  PanelMemory(PackedB packed) {
    this.packed = packed;
  }

  /** Has panels kept in memory of somebody else's. */
  synchronized void keepIn(MemorySegment memory) {
    copied.clear();
    panels = memory;
    source = null;
  }

  /** Has panels kept in memory of its own; their words are arbitrary. */
  synchronized void keep() {
    keepIn(room.atLeast(packed.panelBytes()));
  }

  /**
   * Has panels copied when they are asked for. Nobody asks meanwhile, and whoever did has been
   * waited for.
   */
  void copyFrom(Source newSource) {
    if (!newSource.equals(source) || !copied.isEmpty()) {
      open(newSource);
    }
  }

  private synchronized void open(Source newSource) {
    copied.clear();
    source = newSource;
  }

  /** All panels. */
  MemorySegment all() {
    if (source != null) {
      copyAll();
    }
    return panels;
  }

  /** The same memory, if only the panels of a check block are read. */
  MemorySegment with(long matrix, long block) {
    if (source != null) {
      copy(matrix, block);
    }
    return panels;
  }

  private synchronized void copyAll() {
    for (long matrix = 0; matrix < packed.matrices(); matrix++) {
      for (long block = 0; block < packed.blocks(); block++) {
        copy(matrix, block);
      }
    }
    source = null;
  }

  private synchronized void copy(long matrix, long block) {
    Source from = source;
    if (from == null) {
      return;
    }
    if (copied.isEmpty()) {
      panels = room.atLeast(packed.panelBytes());
    }
    int number = Math.toIntExact(matrix * packed.blocks() + block);
    if (!copied.get(number)) {
      from.copyPanels(packed, matrix, block, panels);
      copied.set(number);
    }
  }

  /** Frees memory of its own. */
  @Override
  public synchronized void close() {
    source = null;
    panels = MemorySegment.NULL;
    room.close();
  }
}
