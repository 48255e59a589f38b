package dev.regolith.kernels.exec;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A calling thread and its helpers, working off numbered tasks.
 *
 * <p>One call at a time has the helpers; a call that finds them busy computes alone. Helpers spin
 * for a bounded time after their last task, then park. Nothing is allocated by {@link #run}.
 */
public final class Team implements AutoCloseable {
  /** A set of independent tasks. */
  public interface Tasks {
    /**
     * Does one task.
     *
     * @param task its number, from 0
     * @param worker who does it: 0 is the calling thread, 1 and up are the helpers
     */
    void perform(long task, int worker);
  }

  private static final int REMAINING_BITS = 40;
  private static final long REMAINING_MASK = (1L << REMAINING_BITS) - 1;

  private final Thread[] helpers;
  private final long spinNanos;
  private final AtomicInteger busy = new AtomicInteger();
  // Epoch of the job in the upper bits, tasks nobody claimed yet in the lower: one word, so that a
  // helper that wakes late cannot claim a task of one job with the fields of another.
  private final AtomicLong claims = new AtomicLong();
  private final AtomicLong unfinished = new AtomicLong();
  private volatile @Nullable Tasks tasks;
  private volatile long count;
  private volatile @Nullable Thread caller;
  private volatile @Nullable Throwable failure;
  private volatile boolean closed;

  /**
   * @param threads all of them, the caller's included
   * @param spinNanos how long a helper without work keeps its core before it parks
   * @param onStart run by each helper when it starts
   */
  public Team(int threads, long spinNanos, Runnable onStart) {
    this.spinNanos = spinNanos;
    helpers = new Thread[threads - 1];
    for (int i = 0; i < helpers.length; i++) {
      int worker = i + 1;
      helpers[i] =
          Thread.ofPlatform()
              .daemon()
              .name("regolith-worker-" + worker)
              .unstarted(() -> {
                onStart.run();
                help(worker);
              });
    }
    for (Thread helper : helpers) {
      helper.start();
    }
  }

  /** Number of threads, the caller's included. */
  public int threads() {
    return helpers.length + 1;
  }

  /** Whether every thread of the team may touch a segment: not if its arena is confined. */
  public boolean canReach(MemorySegment segment) {
    return helpers.length == 0 || segment.isAccessibleBy(helpers[0]);
  }

  /**
   * Performs tasks 0 to {@code count - 1}, in no particular order, and returns when all are done.
   * If any threw, the first throwable is thrown here after the others have ended.
   */
  public void run(long count, Tasks tasks) {
    run(count, tasks, true);
  }

  /** The same, but, if {@code together} is false, on the calling thread alone. */
  public void run(long count, Tasks tasks, boolean together) {
    if (count <= 1 || !together || helpers.length == 0 || !busy.compareAndSet(0, 1)) {
      for (long task = 0; task < count; task++) {
        tasks.perform(task, 0);
      }
      return;
    }
    try {
      this.tasks = tasks;
      this.count = count;
      failure = null;
      caller = Thread.currentThread();
      unfinished.set(count);
      long epoch = (claims.get() >>> REMAINING_BITS) + 1;
      claims.set(epoch << REMAINING_BITS | count);
      for (int i = 0; i < helpers.length && i < count - 1; i++) {
        LockSupport.unpark(helpers[i]);
      }
      work(0);
      while (unfinished.get() != 0) {
        pause();
      }
      var thrown = failure;
      if (thrown != null) {
        failure = null;
        Team.<RuntimeException>rethrow(thrown);
      }
    } finally {
      this.tasks = null;
      caller = null;
      busy.set(0);
    }
  }

  private void pause() {
    long deadline = System.nanoTime() + spinNanos;
    while (unfinished.get() != 0) {
      if (System.nanoTime() - deadline < 0) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
  }

  private void help(int worker) {
    long idleSince = System.nanoTime();
    while (!closed) {
      if (work(worker)) {
        idleSince = System.nanoTime();
      } else if (System.nanoTime() - idleSince < spinNanos) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
        idleSince = System.nanoTime();
      }
    }
  }

  /** Claims and performs tasks until none is left; whether there was any. */
  private boolean work(int worker) {
    boolean any = false;
    while (true) {
      long state = claims.get();
      long remaining = state & REMAINING_MASK;
      if (remaining == 0) {
        return any;
      }
      if (claims.compareAndSet(state, state - 1)) {
        // The claim keeps the job, and so these fields, alive.
        any = true;
        perform(count - remaining, worker);
      }
    }
  }

  private void perform(long task, int worker) {
    try {
      var current = tasks;
      if (current != null) {
        current.perform(task, worker);
      }
    } catch (Throwable thrown) {
      failure = thrown;
    } finally {
      var waiting = caller;
      if (unfinished.decrementAndGet() == 0 && worker != 0) {
        LockSupport.unpark(waiting);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void rethrow(Throwable thrown) throws T {
    throw (T) thrown;
  }

  /** Ends the helpers and waits for them. Calls in progress must have returned. */
  @Override
  public void close() {
    closed = true;
    for (Thread helper : helpers) {
      LockSupport.unpark(helper);
    }
    boolean interrupted = false;
    for (Thread helper : helpers) {
      while (helper.isAlive()) {
        try {
          helper.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
