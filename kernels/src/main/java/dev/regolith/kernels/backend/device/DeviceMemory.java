package dev.regolith.kernels.backend.device;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.TreeMap;

/**
 * A piece of device memory.
 *
 * @param bytes it has
 */
record DeviceMemory(DeviceObject object, long bytes) {
  /**
   * Pieces that nobody uses, kept for the next who needs one of about that size. Thread-safe; the
   * device's memory is full only when they are freed as well.
   */
  static final class Pool implements Parts.Part {
    private final DeviceContext context;
    private final TreeMap<Long, Deque<DeviceMemory>> idle = new TreeMap<>();

    Pool(DeviceContext context) {
      this.context = context;
    }

    /** A piece; what it holds is arbitrary. */
    synchronized DeviceMemory take(long bytes) {
      var fitting = idle.ceilingEntry(bytes);
      if (fitting != null && fitting.getKey() <= 2 * bytes) {
        DeviceMemory memory = fitting.getValue().pop();
        if (fitting.getValue().isEmpty()) {
          idle.remove(fitting.getKey());
        }
        return memory;
      }
      try {
        return new DeviceMemory(context.newBuffer(bytes), bytes);
      } catch (DeviceException e) {
        if (e.isFatal() || idle.isEmpty()) {
          throw e;
        }
        close();
        return new DeviceMemory(context.newBuffer(bytes), bytes);
      }
    }

    synchronized void giveBack(DeviceMemory memory) {
      idle.computeIfAbsent(memory.bytes, bytes -> new ArrayDeque<>()).push(memory);
    }

    /** Frees the pieces that nobody uses. */
    @Override
    public synchronized void close() {
      idle.values().forEach(pieces -> pieces.forEach(piece -> piece.object.close()));
      idle.clear();
    }
  }
}
