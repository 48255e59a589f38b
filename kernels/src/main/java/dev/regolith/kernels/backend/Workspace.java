package dev.regolith.kernels.backend;

/** A backend's buffers for one thread. */
public interface Workspace extends AutoCloseable {
  /** Frees what it holds elsewhere than in memory of the heap; idempotent. */
  @Override
  default void close() {}
}
