package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One thread's commands to a device, which run in order. Copies return when host memory is free
 * again; kernels are only enqueued.
 *
 * <p>A campaign may lose any command, and change any buffer as the device sees it.
 */
final class DeviceQueue implements Parts.Part {
  private final ClObject queue;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment global = arena.allocate(ValueLayout.JAVA_LONG, 2);
  private final MemorySegment local = arena.allocate(ValueLayout.JAVA_LONG, 2);
  private final MemorySegment origin = arena.allocate(ValueLayout.JAVA_LONG, 3);
  private final MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG, 3);
  private final long[] command = new long[1];

  DeviceQueue(ClContext context) {
    queue = context.newQueue();
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

  /** Copies packed panels to the same place of a buffer. */
  void uploadPanels(MemorySegment host, long offset, long bytes, ClObject buffer) {
    if (Probe.ON) {
      Probe.reach(ProbePoint.PACKED_B_READ, host, offset, 1, bytes, 0);
    }
    if (bytes > 0 && isIssued(ProbePoint.DEVICE_PANELS_UPLOAD)) {
      Cl.write(queue.handle(), buffer.handle(), offset, bytes, host.asSlice(offset, bytes));
    }
  }

  /** Copies rows of host memory into a buffer, one behind the other. */
  void uploadRows(
      MemorySegment host, long offset, long rows, long rowBytes, long stride, ClObject buffer) {
    if (rows == 0 || rowBytes == 0 || !isIssued(ProbePoint.DEVICE_UPLOAD)) {
      return;
    }
    if (stride >= rowBytes) {
      open(rowBytes, rows);
      MemorySegment from = host.asSlice(offset, (rows - 1) * stride + rowBytes);
      Cl.writeRows(queue.handle(), buffer.handle(), origin, size, rowBytes, stride, from);
      return;
    }
    // Rows that overlap, or lie one before the other, are no rectangle.
    for (long i = 0; i < rows; i++) {
      MemorySegment row = host.asSlice(offset + i * stride, rowBytes);
      Cl.write(queue.handle(), buffer.handle(), i * rowBytes, rowBytes, row);
    }
  }

  /** Copies rows, one behind the other in a buffer, into host memory. */
  void downloadRows(
      ClObject buffer, long rows, long rowBytes, MemorySegment host, long offset, long stride) {
    if (!isIssued(ProbePoint.DEVICE_DOWNLOAD)) {
      return;
    }
    if (stride >= rowBytes) {
      open(rowBytes, rows);
      MemorySegment to = host.asSlice(offset, (rows - 1) * stride + rowBytes);
      Cl.readRows(queue.handle(), buffer.handle(), origin, size, rowBytes, stride, to);
      return;
    }
    for (long i = 0; i < rows; i++) {
      MemorySegment row = host.asSlice(offset + i * stride, rowBytes);
      Cl.read(queue.handle(), buffer.handle(), i * rowBytes, rowBytes, row);
    }
  }

  private void open(long rowBytes, long rows) {
    size.setAtIndex(ValueLayout.JAVA_LONG, 0, rowBytes);
    size.setAtIndex(ValueLayout.JAVA_LONG, 1, rows);
    size.setAtIndex(ValueLayout.JAVA_LONG, 2, 1);
  }

  /** Copies evidence from the start of a buffer into host memory. */
  void downloadEvidence(ClObject buffer, long bytes, MemorySegment host) {
    if (isIssued(ProbePoint.DEVICE_EVIDENCE)) {
      Cl.read(queue.handle(), buffer.handle(), 0, bytes, host);
    }
  }

  /**
   * Runs a kernel over at least {@code x} by {@code y} work-items, in groups of {@code group} along
   * x.
   *
   * @param point what is lost if it does not run
   */
  void run(ProbePoint point, DeviceKernel kernel, long x, long y, long group) {
    global.setAtIndex(ValueLayout.JAVA_LONG, 0, Math.ceilDiv(x, group) * group);
    global.setAtIndex(ValueLayout.JAVA_LONG, 1, y);
    local.setAtIndex(ValueLayout.JAVA_LONG, 0, group);
    local.setAtIndex(ValueLayout.JAVA_LONG, 1, 1);
    if (isIssued(point)) {
      Cl.run(queue.handle(), kernel.handle(), 2, global, local);
    }
  }

  /** Shows a stretch of a buffer to the probe, as the device sees it at this point of the queue. */
  void probe(ProbePoint point, ClObject buffer, long offset, long bytes) {
    if (bytes > 0) {
      // One at a time: drivers tell stretches mapped by several threads apart by their address.
      synchronized (DeviceQueue.class) {
        MemorySegment mapped = Cl.map(queue.handle(), buffer.handle(), offset, bytes);
        Probe.reach(point, mapped, 0, 1, bytes, 0);
        Cl.unmap(queue.handle(), buffer.handle(), mapped);
      }
    }
  }

  @Override
  public void close() {
    queue.close();
    arena.close();
  }
}
