package dev.regolith.kernels.backend.opencl;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/**
 * An OpenCL object and its release, which happens once. Objects that are alive are counted, so that
 * a test can tell whether any was forgotten.
 */
final class ClObject implements AutoCloseable {
  private static final AtomicLong ALIVE = new AtomicLong();

  private final long handle;
  private final LongConsumer release;
  private boolean released;

  ClObject(long handle, LongConsumer release) {
    this.handle = handle;
    this.release = release;
    ALIVE.incrementAndGet();
  }

  /** Objects of this JVM that were made and not released. */
  static long alive() {
    return ALIVE.get();
  }

  long handle() {
    if (released) {
      throw new IllegalStateException("the OpenCL object was released");
    }
    return handle;
  }

  @Override
  public synchronized void close() {
    if (!released) {
      released = true;
      ALIVE.decrementAndGet();
      try {
        release.accept(handle);
      } catch (ClException e) {
        // A lost device cannot release anything; what else there is to be freed still is.
        System.getLogger("dev.regolith.kernels").log(System.Logger.Level.DEBUG, "not released", e);
      }
    }
  }
}
