package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.Arguments;
import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.DeviceObject;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** A command queue that runs in order. */
final class ClQueue implements CommandQueue {
  private final DeviceObject queue;

  ClQueue(long handle) {
    queue = new DeviceObject(handle, Cl::releaseQueue);
  }

  @Override
  public void write(DeviceObject memory, long offset, MemorySegment from) {
    Cl.write(queue.handle(), memory.handle(), offset, from);
  }

  @Override
  public void read(DeviceObject memory, long offset, MemorySegment to) {
    Cl.read(queue.handle(), memory.handle(), offset, to);
  }

  @Override
  public void writeRows(
      DeviceObject memory, MemorySegment from, long rows, long rowBytes, long stride) {
    Cl.writeRows(queue.handle(), memory.handle(), rows, rowBytes, stride, from);
  }

  @Override
  public void readRows(
      DeviceObject memory, MemorySegment to, long rows, long rowBytes, long stride) {
    Cl.readRows(queue.handle(), memory.handle(), rows, rowBytes, stride, to);
  }

  /** One at a time: drivers tell stretches mapped by several threads apart by their address. */
  @Override
  public void edit(DeviceObject memory, long offset, long bytes, Consumer<MemorySegment> editor) {
    synchronized (ClQueue.class) {
      MemorySegment mapped = Cl.map(queue.handle(), memory.handle(), offset, bytes);
      editor.accept(mapped);
      Cl.unmap(queue.handle(), memory.handle(), mapped);
    }
  }

  @Override
  public void run(DeviceObject kernel, Arguments arguments, long across, long down, int items) {
    for (int i = 0; i < arguments.count(); i++) {
      Cl.setArgument(kernel.handle(), i, arguments.bytes(i), arguments.value(i));
    }
    Cl.run(queue.handle(), kernel.handle(), across * items, down, items);
  }

  @Override
  public void finish() {
    Cl.finish(queue.handle());
  }

  @Override
  public void close() {
    queue.close();
  }
}
