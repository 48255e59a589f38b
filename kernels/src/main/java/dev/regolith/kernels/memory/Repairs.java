package dev.regolith.kernels.memory;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * Makes repairs one at a time, and lets readers find out that one happened while they read.
 *
 * <p>Two finders of one damaged word must not both undo it, so whoever repairs looks again under
 * the lock. And a reader that used a damaged word must not be fooled by somebody who put it back
 * before the reader verified: it compares {@link #mark} from before its first read with what it
 * finds after its last check.
 */
public final class Repairs {
  /** Repairs of tensors, in whatever way they are seen: several tensors may share memory. */
  public static final Repairs OF_TENSORS = new Repairs();

  private final AtomicLong begun = new AtomicLong();
  private final AtomicLong ended = new AtomicLong();

  /**
   * The repairs that have ended. Waits for one that goes on: whatever is read meanwhile is read in
   * vain, and who repairs may have lost its core for longer than readers try again.
   */
  public long mark() {
    long mark = ended.get();
    while (begun.get() != mark) {
      mark = alone(ended::get);
    }
    return mark;
  }

  /** The repairs that have begun. */
  public long begun() {
    return begun.get();
  }

  /** Whether no repair was going on, or began, since a mark was taken. */
  public boolean noneSince(long mark) {
    return begun.get() == mark;
  }

  /** Looks, and repairs what needs it through {@link #write}, alone. */
  public synchronized <T> T alone(Supplier<T> look) {
    return look.get();
  }

  /** Writes a repair, {@link #alone}; readers from before it find out. */
  public void write(Runnable repair) {
    begun.incrementAndGet();
    try {
      repair.run();
    } finally {
      ended.incrementAndGet();
    }
  }
}
