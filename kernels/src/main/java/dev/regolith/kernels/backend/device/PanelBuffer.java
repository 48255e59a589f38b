package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.tensor.DType;

/**
 * A device's copy of packed panels, where the host has them, but perhaps in a type that takes less
 * room and has all of their numbers.
 *
 * @param memory the copy
 * @param type of its elements
 */
record PanelBuffer(DeviceObject memory, DType type) {
  /** First byte of a panel's k-block. */
  long offset(PackedB b, long panel, int kBlock) {
    return there(b.panelOffset(panel, kBlock));
  }

  /** How many bytes there are what so many are here. */
  long there(long bytes) {
    return bytes / Float.BYTES * type.bytes();
  }
}
