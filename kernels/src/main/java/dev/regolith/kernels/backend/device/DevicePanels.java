package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.tensor.DType;
import java.lang.ref.WeakReference;

/** A device's copy of a packed matrix, panel by panel where the host has them. */
final class DevicePanels extends DeviceCopy {
  private final WeakReference<PackedB> source;
  private final DType type;
  private final DeviceBuffer buffer;
  private final DeviceBuffer ofRecords;
  private long version = -1;
  private long versionOfRecords = -1;

  /**
   * A copy to be made.
   *
   * @param type what its elements are to be: all numbers of the source are of it
   */
  DevicePanels(PackedB source, DeviceContext context, DType type) {
    this.source = new WeakReference<>(source);
    this.type = type;
    buffer = new DeviceBuffer(context);
    ofRecords = new DeviceBuffer(context);
  }

  @Override
  boolean isOrphaned() {
    PackedB b = source.get();
    return b == null || b.panels().byteSize() == 0 || !b.panels().scope().isAlive();
  }

  private static long bytes(PackedB b) {
    return 4 * b.panelCount() * b.panelColumns() * b.depth();
  }

  private PanelBuffer memory(PackedB b) {
    long elements = bytes(b) / Float.BYTES;
    return new PanelBuffer(buffer.atLeast(elements * type.bytes()), type);
  }

  /**
   * The buffer, holding what the host's panels hold.
   *
   * @param anew whether to copy everything even if that was done before
   */
  synchronized PanelBuffer open(PackedB b, DeviceQueue queue, boolean anew) {
    PanelBuffer memory = memory(b);
    if (version != b.version()) {
      upload(b, 0, bytes(b), memory, queue);
      version = b.version();
    } else if (anew) {
      repairs().write(() -> upload(b, 0, bytes(b), memory, queue));
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
    long bytes = 4L * b.panelWords(kBlock);
    repairs().write(() -> upload(b, b.panelOffset(panel, kBlock), bytes, memory, queue));
  }

  private static void upload(
      PackedB b, long at, long bytes, PanelBuffer memory, DeviceQueue queue) {
    if (memory.type().isHalf()) {
      queue.uploadHalves(b.panels(), at, bytes, memory);
    } else {
      queue.uploadPanels(b.panels(), at, bytes, memory.memory(), at);
    }
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
