package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.memory.Repairs;
import java.lang.ref.WeakReference;
import org.jspecify.annotations.Nullable;

/**
 * A device's copy of packed panels: made from the host's when it is first needed, kept as long as
 * those, and made again, a panel at a time, where it was found damaged.
 */
final class DevicePanels implements Parts.Part {
  private final WeakReference<PackedB> source;
  private final DeviceContext context;
  private final Repairs repairs = new Repairs();
  private @Nullable DeviceObject buffer;
  private long bytes;
  private long version = -1;
  private int users;

  DevicePanels(PackedB source, DeviceContext context) {
    this.source = new WeakReference<>(source);
    this.context = context;
  }

  /** Keeps the buffer from being freed until {@link #giveBack}. */
  synchronized void take() {
    users++;
  }

  synchronized void giveBack() {
    users--;
  }

  /** Frees the buffer if the host's panels are gone, and nobody uses it; whether it did. */
  synchronized boolean closeIfOrphaned() {
    PackedB b = source.get();
    boolean gone = b == null || b.panels().byteSize() == 0 || !b.panels().scope().isAlive();
    if (gone && users == 0) {
      close();
      return true;
    }
    return false;
  }

  /**
   * The buffer, holding what the host's panels hold.
   *
   * @param anew whether to copy everything even if that was done before
   */
  synchronized DeviceObject open(PackedB b, DeviceQueue queue, boolean anew) {
    long needed = 4 * b.panelCount() * b.panelColumns() * b.depth();
    DeviceObject memory = buffer;
    if (memory == null || bytes < needed) {
      close();
      memory = context.newBuffer(needed);
      buffer = memory;
      bytes = needed;
      version = -1;
    }
    if (version != b.version() || anew) {
      if (version == b.version()) {
        repairs.write(() -> queue.uploadPanels(b.panels(), 0, needed, needBuffer()));
      } else {
        queue.uploadPanels(b.panels(), 0, needed, memory);
      }
      version = b.version();
    }
    return memory;
  }

  private DeviceObject needBuffer() {
    DeviceObject memory = buffer;
    if (memory == null) {
      throw new IllegalStateException("the device's panels were freed");
    }
    return memory;
  }

  /** Copies a panel's k-block again; whoever read it before finds out by {@link #repairs}. */
  synchronized void mend(PackedB b, long panel, int kBlock, DeviceQueue queue) {
    repairs.write(() ->
        queue.uploadPanels(
            b.panels(), b.panelOffset(panel, kBlock), 4L * b.panelWords(kBlock), needBuffer()));
  }

  /** Copies that were made because the device's differed. */
  Repairs repairs() {
    return repairs;
  }

  @Override
  public synchronized void close() {
    if (buffer != null) {
      buffer.close();
      buffer = null;
    }
  }
}
