package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.DeviceObject;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Pinned host memory that the device reads or writes by itself, and the event that says it did. */
final class PinnedChunk implements AutoCloseable {
  /** Large enough that the rate of the bus counts, and not the time a command takes. */
  static final long BYTES = 1 << 20;

  private final DeviceObject memory;
  private final DeviceObject event;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment segment;
  private boolean busy;

  PinnedChunk(CudaDriver driver) {
    memory = driver.make(() -> Cu.allocatePinned(BYTES), Cu::freePinned);
    try {
      event = driver.make(Cu::createEvent, Cu::destroyEvent);
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
    segment = Cu.pinned(memory.handle(), BYTES, arena);
  }

  MemorySegment first(long bytes) {
    return segment.asSlice(0, bytes);
  }

  /** What was enqueued so far is the device's; until then the chunk is not to be touched. */
  void submitted(long stream) {
    Cu.record(event.handle(), stream);
    busy = true;
  }

  /** Waits until the device is done with the chunk. */
  void await() {
    if (busy) {
      Cu.await(event.handle());
      busy = false;
    }
  }

  /** Takes bytes of rows as if those lay one behind the other. */
  void fill(MemorySegment from, long at, long bytes, long rowBytes, long stride) {
    for (long done = 0; done < bytes; ) {
      long column = (at + done) % rowBytes;
      long part = Math.min(rowBytes - column, bytes - done);
      long place = (at + done) / rowBytes * stride + column;
      MemorySegment.copy(from, place, segment, done, part);
      done += part;
    }
  }

  /** Gives bytes to rows as if those lay one behind the other. */
  void empty(MemorySegment to, long at, long bytes, long rowBytes, long stride) {
    for (long done = 0; done < bytes; ) {
      long column = (at + done) % rowBytes;
      long part = Math.min(rowBytes - column, bytes - done);
      long place = (at + done) / rowBytes * stride + column;
      MemorySegment.copy(segment, done, to, place, part);
      done += part;
    }
  }

  @Override
  public void close() {
    arena.close();
    event.close();
    memory.close();
  }
}
