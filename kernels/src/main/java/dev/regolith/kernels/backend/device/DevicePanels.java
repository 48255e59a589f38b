package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import java.lang.ref.WeakReference;

/** A device's copy of a packed matrix, in a form of its own. */
final class DevicePanels extends DeviceCopy {
  private final WeakReference<PackedB> source;
  private final PanelForm form;
  private final DeviceBuffer buffer;
  private final DeviceBuffer ofRecords;
  private long version = -1;
  private long versionOfRecords = -1;

  /**
   * A copy to be made.
   *
   * @param form that it is to have: all numbers of the source are of its type
   */
  DevicePanels(PackedB source, DeviceContext context, PanelForm form) {
    this.source = new WeakReference<>(source);
    this.form = form;
    buffer = new DeviceBuffer(context);
    ofRecords = new DeviceBuffer(context);
  }

  @Override
  boolean isOrphaned() {
    PackedB b = source.get();
    return b == null || b.panels().byteSize() == 0 || !b.panels().scope().isAlive();
  }

  private PanelBuffer memory(PackedB b) {
    long elements = b.panelCount() * b.panelColumns() * b.depth();
    return new PanelBuffer(buffer.atLeast(form.bytes(elements)), form);
  }

  /**
   * The buffer, holding what the host's panels hold.
   *
   * @param anew whether to copy everything even if that was done before
   */
  synchronized PanelBuffer open(PackedB b, DeviceQueue queue, boolean anew) {
    PanelBuffer memory = memory(b);
    if (version != b.version()) {
      upload(b, memory, queue);
      version = b.version();
    } else if (anew) {
      repairs().write(() -> upload(b, memory, queue));
    }
    return memory;
  }

  /** The check records, as the host has them. */
  synchronized DeviceObject openRecords(PackedB b, DeviceQueue queue) {
    DeviceObject memory = ofRecords.atLeast(b.allRecordBytes());
    if (versionOfRecords != b.version()) {
      uploadRecords(b, 0, b.allRecordBytes(), memory, queue);
      versionOfRecords = b.version();
    }
    return memory;
  }

  /** Has the check records copied anew by the next that needs them. */
  synchronized void forgetRecords() {
    versionOfRecords = -1;
  }

  /** Copies a record again; whoever read it before finds out by {@link #repairs}. */
  synchronized void mendRecord(PackedB b, long matrix, long block, int kBlock, DeviceQueue queue) {
    DeviceObject memory = ofRecords.atLeast(b.allRecordBytes());
    long at = b.recordOffset(matrix, block, kBlock);
    repairs().write(() -> uploadRecords(b, at, b.recordBytes(), memory, queue));
  }

  private static void uploadRecords(
      PackedB b, long at, long bytes, DeviceObject memory, DeviceQueue queue) {
    queue.uploadRecords(b.records(), at, bytes, memory);
    queue.finish();
  }

  /** Copies a panel's k-block again; whoever read it before finds out by {@link #repairs}. */
  synchronized void mend(PackedB b, long panel, int kBlock, DeviceQueue queue) {
    PanelBuffer memory = memory(b);
    repairs()
        .write(() -> {
          queue.uploadPanel(b, panel, kBlock, memory);
          queue.finish();
        });
  }

  private static void upload(PackedB b, PanelBuffer memory, DeviceQueue queue) {
    queue.uploadPanels(b, memory);
    queue.finish();
  }

  @Override
  public synchronized void close() {
    buffer.close();
    ofRecords.close();
    version = -1;
    versionOfRecords = -1;
  }
}
