package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.Arguments;
import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.DeviceException;
import dev.regolith.kernels.backend.device.DeviceObject;
import java.lang.foreign.MemorySegment;

/**
 * A stream, with pinned memory through which everything is copied: in chunks, so that the device
 * copies one while this thread copies the other. Of host memory, nothing but that is ever given to
 * the driver.
 */
final class CudaQueue implements CommandQueue {
  private final CudaDriver driver;
  private final DeviceObject stream;
  private final PinnedChunk[] chunks = new PinnedChunk[2];
  private int next;

  CudaQueue(CudaDriver driver) {
    this.driver = driver;
    stream = driver.make(Cu::createStream, Cu::destroyStream);
    try {
      for (int i = 0; i < chunks.length; i++) {
        chunks[i] = new PinnedChunk(driver);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  @Override
  public void write(DeviceObject memory, long offset, MemorySegment from) {
    driver.within(() -> write(memory.handle() + offset, from, 1, from.byteSize(), 0));
  }

  @Override
  public void read(DeviceObject memory, long offset, MemorySegment to) {
    driver.within(() -> read(memory.handle() + offset, to, 1, to.byteSize(), 0));
  }

  @Override
  public void writeRows(
      DeviceObject memory, MemorySegment from, long rows, long rowBytes, long stride) {
    driver.within(() -> write(memory.handle(), from, rows, rowBytes, stride));
  }

  @Override
  public void readRows(
      DeviceObject memory, MemorySegment to, long rows, long rowBytes, long stride) {
    driver.within(() -> read(memory.handle(), to, rows, rowBytes, stride));
  }

  /** The stream, as the driver and its libraries call it. */
  long stream() {
    return stream.handle();
  }

  private PinnedChunk nextChunk() {
    PinnedChunk chunk = chunks[next];
    next = (next + 1) % chunks.length;
    return chunk;
  }

  private void write(long address, MemorySegment from, long rows, long rowBytes, long stride) {
    long handle = stream.handle();
    long total = rows * rowBytes;
    for (long at = 0; at < total; at += PinnedChunk.BYTES) {
      long bytes = Math.min(PinnedChunk.BYTES, total - at);
      PinnedChunk chunk = nextChunk();
      chunk.await();
      chunk.fill(from, at, bytes, rowBytes, stride);
      Cu.write(handle, address + at, chunk.first(bytes));
      chunk.submitted(handle);
    }
  }

  private void read(long address, MemorySegment to, long rows, long rowBytes, long stride) {
    long handle = stream.handle();
    long total = rows * rowBytes;
    long count = Math.ceilDiv(total, PinnedChunk.BYTES);
    // One chunk is on its way while the one before is emptied.
    for (long i = 0; i <= count; i++) {
      if (i < count) {
        PinnedChunk chunk = chunks[(int) (i % chunks.length)];
        chunk.await();
        long at = i * PinnedChunk.BYTES;
        Cu.read(handle, address + at, chunk.first(Math.min(PinnedChunk.BYTES, total - at)));
        chunk.submitted(handle);
      }
      if (i > 0) {
        PinnedChunk chunk = chunks[(int) ((i - 1) % chunks.length)];
        chunk.await();
        long at = (i - 1) * PinnedChunk.BYTES;
        chunk.empty(to, at, Math.min(PinnedChunk.BYTES, total - at), rowBytes, stride);
      }
    }
  }

  @Override
  public void run(DeviceObject kernel, Arguments arguments, long across, long down, int items) {
    int x = Math.toIntExact(across);
    int y = Math.toIntExact(down);
    driver.within(
        () -> Cu.launch(stream.handle(), kernel.handle(), x, y, items, arguments.addresses()));
  }

  @Override
  public void finish() {
    driver.within(() -> Cu.synchronize(stream.handle()));
  }

  @Override
  public void close() {
    try {
      finish();
    } catch (DeviceException e) {
      // A lost device has nothing under way.
      System.getLogger("dev.regolith.kernels").log(System.Logger.Level.DEBUG, "not finished", e);
    }
    stream.close();
    for (PinnedChunk chunk : chunks) {
      if (chunk != null) {
        chunk.close();
      }
    }
  }
}
