package dev.regolith.kernels.backend;

/** A backend's buffers for one thread. */
public interface Workspace {}
