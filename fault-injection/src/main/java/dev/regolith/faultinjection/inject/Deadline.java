package dev.regolith.faultinjection.inject;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Runs trials on a thread of their own, and gives up on one that does not come back. */
final class Deadline implements AutoCloseable {
  /** Thousands of times what a trial takes. */
  private static final long SECONDS = 30;

  private ExecutorService thread = newThread();

  /** The result, or null if there is none in time; the thread is then left to itself. */
  <T> @Nullable T within(Callable<T> work) {
    try {
      return thread.submit(work).get(SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      thread.shutdownNow();
      thread = newThread();
      return null;
    } catch (ExecutionException e) {
      throw new IllegalStateException("the harness failed: " + e.getCause(), e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
  }

  private static ExecutorService newThread() {
    return Executors.newSingleThreadExecutor(
        Thread.ofPlatform().daemon().name("regolith-trial").factory());
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
