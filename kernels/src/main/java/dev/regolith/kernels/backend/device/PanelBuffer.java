package dev.regolith.kernels.backend.device;

/**
 * A device's copy of packed panels.
 *
 * @param memory the copy
 * @param form in which it has them
 */
record PanelBuffer(DeviceObject memory, PanelForm form) {}
