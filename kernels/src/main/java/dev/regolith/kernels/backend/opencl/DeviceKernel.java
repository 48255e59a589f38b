package dev.regolith.kernels.backend.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A kernel and its arguments, which are given in order; for one thread. */
final class DeviceKernel implements Parts.Part {
  private final ClObject kernel;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
  private int next;

  DeviceKernel(ClObject kernel) {
    this.kernel = kernel;
  }

  long handle() {
    return kernel.handle();
  }

  /** Starts a new list of arguments. */
  DeviceKernel open() {
    next = 0;
    return this;
  }

  DeviceKernel buffer(ClObject buffer) {
    return number(buffer.handle());
  }

  DeviceKernel number(long number) {
    value.set(ValueLayout.JAVA_LONG, 0, number);
    Cl.setArgument(kernel.handle(), next++, Long.BYTES, value);
    return this;
  }

  DeviceKernel real(float number) {
    value.set(ValueLayout.JAVA_FLOAT, 0, number);
    Cl.setArgument(kernel.handle(), next++, Float.BYTES, value);
    return this;
  }

  @Override
  public void close() {
    kernel.close();
    arena.close();
  }
}
