package dev.regolith.kernels;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A scope in which a sealed tensor may be written; made by {@link Session#edit}. Seals are verified
 * when it opens, and made anew from what was written when it closes. One thread at a time; do not
 * keep the segment beyond the scope.
 */
public final class Edit implements AutoCloseable {
  private final Storage storage;
  private final List<SealGrid> suspended = new ArrayList<>();
  private boolean closed;

  Edit(Tensor tensor) {
    storage = tensor.storage();
    storage.segmentToWrite(false); // first: a device may not give the words back
    storage.edit(1);
    for (Watch watch : storage.watches()) {
      if (watch.inForce() && watch.range().intersects(tensor.words())) {
        var grid = (SealGrid) watch;
        grid.inForce(false);
        suspended.add(grid);
      }
    }
  }

  /** The tensor's memory, writable; later results need not show in it. */
  public MemorySegment segment() {
    if (closed) {
      throw new IllegalStateException("the edit scope is closed");
    }
    return storage.segmentToWrite(false);
  }

  /** Seals what was sealed before again, from the words that are there now. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      for (SealGrid grid : suspended) {
        grid.sealAll(storage.segment());
      }
      storage.edit(-1);
    }
  }
}
