package dev.regolith.kernels.backend.device;

import java.lang.foreign.MemorySegment;

/**
 * Commands to a device, which run in order. When a copy returns, host memory has been read, or
 * written; what happens on the device may still be to come, kernels too, and another queue may not
 * see it before {@link #finish}. For one thread at a time.
 */
public interface CommandQueue extends Parts.Part {
  /** Copies {@code from} into memory. */
  void write(DeviceObject memory, long offset, MemorySegment from);

  /** Copies memory into {@code to}. */
  void read(DeviceObject memory, long offset, MemorySegment to);

  /**
   * Copies rows of {@code from}, {@code stride} bytes apart, to the start of memory, one behind the
   * other.
   *
   * @param stride at least {@code rowBytes}
   */
  void writeRows(DeviceObject memory, MemorySegment from, long rows, long rowBytes, long stride);

  /** Copies rows from the start of memory into {@code to}; see {@link #writeRows}. */
  void readRows(DeviceObject memory, MemorySegment to, long rows, long rowBytes, long stride);

  /**
   * Runs a kernel over {@code across} by {@code down} work-groups, of {@code items} work-items in a
   * line each.
   */
  void run(DeviceObject kernel, Arguments arguments, long across, long down, int items);

  /** Waits until every command is done. */
  void finish();
}
