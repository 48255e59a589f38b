package dev.regolith.kernels.backend.device;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/**
 * An object of a driver and its release, which happens once. Objects that are alive are counted, so
 * that a test can tell whether any was forgotten.
 */
public final class DeviceObject implements AutoCloseable {
  private static final AtomicLong ALIVE = new AtomicLong();

  private final long handle;
  private final LongConsumer release;
  private boolean released;

  /**
   * An object that was made.
   *
   * @param handle the driver's name for it
   * @param release how it is released
   */
  public DeviceObject(long handle, LongConsumer release) {
    this.handle = handle;
    this.release = release;
    ALIVE.incrementAndGet();
  }

  /** Objects of this JVM that were made and not released. */
  static long alive() {
    return ALIVE.get();
  }

  /** The driver's name for it. */
  public long handle() {
    if (released) {
      throw new IllegalStateException("the device's object was released");
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
      } catch (DeviceException e) {
        // A lost device cannot release anything; what else there is to be freed still is.
        System.getLogger("dev.regolith.kernels").log(System.Logger.Level.DEBUG, "not released", e);
      }
    }
  }
}
