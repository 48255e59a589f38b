package dev.regolith.kernels.backend.device;

/**
 * A row-major matrix of float32 in device memory.
 *
 * @param memory that it is in
 * @param first element there
 * @param pitch elements from a row to the next
 */
public record DeviceMatrix(DeviceObject memory, long first, long pitch) {}
