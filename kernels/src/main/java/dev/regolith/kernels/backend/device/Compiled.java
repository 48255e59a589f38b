package dev.regolith.kernels.backend.device;

/**
 * A program, and what it was compiled to.
 *
 * @param program to be closed by who asked for it
 * @param binary for {@link Driver#load}; empty if the driver does not say
 */
@SuppressWarnings("ArrayRecordComponent") // handed on at once, never compared
public record Compiled(DeviceObject program, byte[] binary) {}
