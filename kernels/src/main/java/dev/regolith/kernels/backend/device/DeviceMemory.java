package dev.regolith.kernels.backend.device;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A piece of device memory.
 *
 * @param bytes it has
 */
record DeviceMemory(DeviceObject object, long bytes) {
  /** Pieces that nobody uses, kept for the next who needs one of about that size. Thread-safe. */
  static final class Pool implements Parts.Part {
    private final DeviceContext context;
    private final TreeMap<Long, Deque<DeviceMemory>> idle = new TreeMap<>();

    Pool(DeviceContext context) {
      this.context = context;
    }

    /** A piece; what it holds is arbitrary. */
    DeviceMemory take(long bytes) {
      DeviceMemory kept = takeIdle(bytes);
      return kept != null ? kept : new DeviceMemory(context.newBuffer(bytes), bytes);
    }

    private synchronized @Nullable DeviceMemory takeIdle(long bytes) {
      var fitting = idle.ceilingEntry(bytes);
      if (fitting == null || fitting.getKey() > 2 * bytes) {
        return null;
      }
      DeviceMemory memory = fitting.getValue().pop();
      if (fitting.getValue().isEmpty()) {
        idle.remove(fitting.getKey());
      }
      return memory;
    }

    synchronized void giveBack(DeviceMemory memory) {
      idle.computeIfAbsent(memory.bytes, bytes -> new ArrayDeque<>()).push(memory);
    }

    /** Frees the pieces that nobody uses; whether there were any. */
    synchronized boolean clear() {
      boolean any = !idle.isEmpty();
      idle.values().forEach(pieces -> pieces.forEach(piece -> piece.object.close()));
      idle.clear();
      return any;
    }

    @Override
    public void close() {
      clear();
    }
  }
}
