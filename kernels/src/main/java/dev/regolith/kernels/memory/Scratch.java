package dev.regolith.kernels.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Native memory that a call needs for its length; grows when it must, and is kept for the next. */
public final class Scratch implements AutoCloseable {
  private @Nullable Arena arena;
  private MemorySegment memory = MemorySegment.NULL;
  private long allocations;

  /** At least so many bytes, aligned to 64; the content is arbitrary. */
  public MemorySegment atLeast(long bytes) {
    if (memory.byteSize() < bytes) {
      close();
      var fresh = Arena.ofShared();
      arena = fresh;
      memory = NativeMemory.allocate(fresh, Math.max(64, bytes));
      allocations++;
    }
    return memory;
  }

  /** How often memory was allocated: what was said of earlier memory is out of date. */
  public long allocations() {
    return allocations;
  }

  /** Frees it; there is more when it is asked for. */
  @Override
  public void close() {
    memory = MemorySegment.NULL;
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }
}
