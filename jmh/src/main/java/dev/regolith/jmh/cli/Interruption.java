package dev.regolith.jmh.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a Ctrl-C (or a {@code kill}) end a run in good order: it stops what is under way and keeps
 * the process alive until {@link #close()}, when the files are written, or for a minute. The JVM
 * then ends with 130 for Ctrl-C, as a shell expects it.
 */
final class Interruption implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 60;

  private final CountDownLatch done = new CountDownLatch(1);
  private final Thread hook;

  Interruption(Runnable stop) {
    hook = new Thread(() -> stopAndWait(stop), "regolith-interruption");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void stopAndWait(Runnable stop) {
    stop.run();
    try {
      if (!done.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("The run does not end; nothing is written.");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    done.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is shutting down: this is the interruption, and the hook has just been released.
    }
  }
}
