package dev.regolith.kernels.backend.device;

import org.jspecify.annotations.Nullable;

/** Device memory that grows when it must, and is kept. */
final class DeviceBuffer implements Parts.Part {
  private final DeviceContext context;
  private @Nullable DeviceObject memory;
  private long bytes;

  DeviceBuffer(DeviceContext context) {
    this.context = context;
  }

  /** Room for so many bytes; what it held before is lost if it grows. */
  DeviceObject atLeast(long needed) {
    DeviceObject current = memory;
    if (current == null || bytes < needed) {
      close();
      current = context.newBuffer(needed);
      memory = current;
      bytes = needed;
    }
    return current;
  }

  @Override
  public void close() {
    if (memory != null) {
      memory.close();
      memory = null;
    }
  }
}
