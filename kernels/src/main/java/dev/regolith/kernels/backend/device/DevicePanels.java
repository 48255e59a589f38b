package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import java.lang.ref.WeakReference;

/** A device's copy of a packed matrix, panel by panel where the host has them. */
final class DevicePanels extends DeviceCopy {
  private final WeakReference<PackedB> source;
  private final DeviceBuffer buffer;
  private long version = -1;

  DevicePanels(PackedB source, DeviceContext context) {
    this.source = new WeakReference<>(source);
    buffer = new DeviceBuffer(context);
  }

  @Override
  boolean isOrphaned() {
    PackedB b = source.get();
    return b == null || b.panels().byteSize() == 0 || !b.panels().scope().isAlive();
  }

  private static long bytes(PackedB b) {
    return 4 * b.panelCount() * b.panelColumns() * b.depth();
  }

  /**
   * The buffer, holding what the host's panels hold.
   *
   * @param anew whether to copy everything even if that was done before
   */
  synchronized DeviceObject open(PackedB b, DeviceQueue queue, boolean anew) {
    DeviceObject memory = buffer.atLeast(bytes(b));
    if (version != b.version()) {
      upload(b, 0, bytes(b), memory, queue);
      version = b.version();
    } else if (anew) {
      repairs().write(() -> upload(b, 0, bytes(b), memory, queue));
    }
    return memory;
  }

  /** Copies a panel's k-block again; whoever read it before finds out by {@link #repairs}. */
  synchronized void mend(PackedB b, long panel, int kBlock, DeviceQueue queue) {
    DeviceObject memory = buffer.atLeast(bytes(b));
    long bytes = 4L * b.panelWords(kBlock);
    repairs().write(() -> upload(b, b.panelOffset(panel, kBlock), bytes, memory, queue));
  }

  private static void upload(
      PackedB b, long at, long bytes, DeviceObject memory, DeviceQueue queue) {
    queue.uploadPanels(b.panels(), at, bytes, memory, at);
    queue.finish();
  }

  @Override
  public synchronized void close() {
    buffer.close();
    version = -1;
  }
}
