package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.Arguments;
import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.DeviceObject;
import java.lang.foreign.MemorySegment;

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
