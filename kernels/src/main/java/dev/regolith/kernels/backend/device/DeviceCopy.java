package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.memory.Repairs;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A device's copy of something that the host packed: made when it is first needed, kept as long as
 * that lives, and made again, a panel at a time, where it was found damaged. Thread-safe.
 */
abstract class DeviceCopy implements Parts.Part {
  private final Repairs repairs = new Repairs();

  /** Not under the monitor, which whoever fills the copy holds as long as that takes. */
  private final AtomicInteger users = new AtomicInteger();

  /**
   * Keeps the copy from being freed until {@link #giveBack}; not while {@link #closeIfOrphaned}.
   */
  final void take() {
    users.incrementAndGet();
  }

  final void giveBack() {
    users.decrementAndGet();
  }

  /** Frees the copy if what it was made of is gone, and nobody uses it; whether it did. */
  final boolean closeIfOrphaned() {
    if (users.get() == 0 && isOrphaned()) {
      close();
      return true;
    }
    return false;
  }

  /** Whether what it was made of is gone. */
  abstract boolean isOrphaned();

  /** Copies that were made again because the device's differed. */
  final Repairs repairs() {
    return repairs;
  }
}
