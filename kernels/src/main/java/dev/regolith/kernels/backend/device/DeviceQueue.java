package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * One thread's commands to a device, which run in order. Copies return when host memory is free
 * again; kernels are only enqueued.
 *
 * <p>A campaign may lose any command, and change any buffer as the device sees it.
 */
final class DeviceQueue implements Parts.Part {
  private final CommandQueue queue;
  private final long[] command = new long[1];
  private final PanelUpload panels = new PanelUpload();

  DeviceQueue(DeviceContext context) {
    queue = context.driver().newQueue();
  }

  /** Whether a command reaches the device: always, unless a campaign loses it. */
  private boolean isIssued(ProbePoint point) {
    if (!Probe.ON) {
      return true;
    }
    command[0] = 1;
    Probe.reach(point, command, 0, 1);
    return command[0] == 1;
  }

  /**
   * Copies packed panels, as they are, into a buffer that other threads' queues read: they find
   * them there after {@link #finish}.
   *
   * @param to first byte in the buffer
   */
  void uploadPanels(MemorySegment host, long offset, long bytes, DeviceObject buffer, long to) {
    if (isUploaded(host, offset, bytes)) {
      queue.write(buffer, to, host.asSlice(offset, bytes));
    }
  }

  /** Copies all of a packed matrix, in the form that a buffer has it in. */
  void uploadPanels(PackedB b, PanelBuffer to) {
    long bytes = b.panelCount() * b.panelStride();
    if (to.form().equals(PanelForm.OF_HOST)) {
      uploadPanels(b.panels(), 0, bytes, to.memory(), 0);
    } else if (isUploaded(b.panels(), 0, bytes)) {
      panels.copyAll(queue, b, to);
    }
  }

  /** The same with a panel's k-block. */
  void uploadPanel(PackedB b, long panel, int kBlock, PanelBuffer to) {
    if (isUploaded(b.panels(), b.panelOffset(panel, kBlock), 4L * b.panelWords(kBlock))) {
      panels.copyBlock(queue, b, panel, kBlock, to);
    }
  }

  private boolean isUploaded(MemorySegment host, long offset, long bytes) {
    if (Probe.ON) {
      Probe.reach(ProbePoint.PACKED_B_READ, host, offset, 1, bytes, 0);
    }
    return bytes > 0 && isIssued(ProbePoint.DEVICE_PANELS_UPLOAD);
  }

  /** Copies check records to where they are in a buffer; for other queues, too. */
  void uploadRecords(MemorySegment host, long offset, long bytes, DeviceObject buffer) {
    if (bytes > 0 && isIssued(ProbePoint.DEVICE_PANELS_UPLOAD)) {
      queue.write(buffer, offset, host.asSlice(offset, bytes));
    }
  }

  /** Copies rows of host memory into a buffer, one behind the other. */
  void uploadRows(
      MemorySegment host, long offset, long rows, long rowBytes, long stride, DeviceObject buffer) {
    if (rows == 0 || rowBytes == 0 || !isIssued(ProbePoint.DEVICE_UPLOAD)) {
      return;
    }
    if (stride == rowBytes) {
      queue.write(buffer, 0, host.asSlice(offset, rows * rowBytes));
      return;
    }
    if (stride > rowBytes) {
      MemorySegment from = host.asSlice(offset, (rows - 1) * stride + rowBytes);
      queue.writeRows(buffer, from, rows, rowBytes, stride);
      return;
    }
    // Rows that overlap, or lie one before the other, are no rectangle.
    for (long i = 0; i < rows; i++) {
      queue.write(buffer, i * rowBytes, host.asSlice(offset + i * stride, rowBytes));
    }
  }

  /** Copies rows, one behind the other in a buffer, into host memory. */
  void downloadRows(
      DeviceObject buffer, long rows, long rowBytes, MemorySegment host, long offset, long stride) {
    if (!isIssued(ProbePoint.DEVICE_DOWNLOAD)) {
      return;
    }
    if (stride == rowBytes) {
      queue.read(buffer, 0, host.asSlice(offset, rows * rowBytes));
      return;
    }
    if (stride > rowBytes) {
      MemorySegment to = host.asSlice(offset, (rows - 1) * stride + rowBytes);
      queue.readRows(buffer, to, rows, rowBytes, stride);
      return;
    }
    for (long i = 0; i < rows; i++) {
      queue.read(buffer, i * rowBytes, host.asSlice(offset + i * stride, rowBytes));
    }
  }

  /** Copies a stretch of words of a buffer to the start of host memory. */
  void downloadWords(DeviceObject buffer, long from, long words, MemorySegment host) {
    if (isIssued(ProbePoint.DEVICE_DOWNLOAD)) {
      queue.read(buffer, 4 * from, host.asSlice(0, 4 * words));
    }
  }

  /** Copies evidence from the start of a buffer into host memory. */
  void downloadEvidence(DeviceObject buffer, long bytes, MemorySegment host) {
    if (isIssued(ProbePoint.DEVICE_EVIDENCE)) {
      queue.read(buffer, 0, host.asSlice(0, bytes));
    }
  }

  /**
   * Runs a kernel over {@code across} by {@code down} work-groups of so many work-items.
   *
   * @param point what is lost if it does not run
   */
  void run(ProbePoint point, DeviceKernel kernel, long across, long down, int items) {
    if (isIssued(point)) {
      kernel.run(queue, across, down, items);
    }
  }

  /** Products of a vendor's library, in the order of this queue. */
  VendorGemm open(VendorLibrary library) {
    return library.open(queue);
  }

  /** Has a product enqueued, which is lost like a kernel if it is not. */
  void multiply(Runnable product) {
    if (isIssued(ProbePoint.DEVICE_LAUNCH)) {
      product.run();
    }
  }

  /** Waits until everything is done. */
  void finish() {
    queue.finish();
  }

  /** The same after something went wrong; a lost device has nothing under way. */
  void settle() {
    try {
      queue.finish();
    } catch (DeviceException e) {
      System.getLogger("dev.regolith.kernels").log(System.Logger.Level.DEBUG, "not finished", e);
    }
  }

  /**
   * Shows a copy of a stretch of a buffer to the probe, as the device sees it at this point of the
   * queue. Of what the probe changes, words and nothing else are written back: others may have put
   * their neighbours right meanwhile.
   */
  void probe(ProbePoint point, DeviceObject buffer, long offset, long bytes) {
    if (bytes == 0) {
      return;
    }
    try (var confined = Arena.ofConfined()) {
      MemorySegment seen = confined.allocate(bytes, 64);
      queue.read(buffer, offset, seen);
      MemorySegment before = confined.allocate(bytes, 64).copyFrom(seen);
      Probe.reach(point, seen, 0, 1, bytes, 0);
      for (long at = difference(seen, before, 0); at < bytes; ) {
        queue.write(buffer, offset + at, seen.asSlice(at, Integer.BYTES));
        at = difference(seen, before, at + Integer.BYTES);
      }
    }
  }

  /** Where the first word is that differs, from an offset on; the length if none does. */
  private static long difference(MemorySegment x, MemorySegment y, long from) {
    long end = x.byteSize();
    long at = MemorySegment.mismatch(x, from, end, y, from, end);
    return at < 0 ? end : (from + at) / Integer.BYTES * Integer.BYTES;
  }

  @Override
  public void close() {
    queue.close();
    panels.close();
  }
}
