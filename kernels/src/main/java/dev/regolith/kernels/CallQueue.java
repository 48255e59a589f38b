package dev.regolith.kernels;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Calls of a session that are made while the caller goes on: one after the other, in the order in
 * which they were submitted, on a thread of the queue's own.
 *
 * <pre>{@code
 * try (var queue = session.newQueue()) {
 *   var done = queue.submit(s -> s.gemm(x, weights.transposed(), y));
 *   prepareTheNext();
 *   Status status = done.join();
 * }
 * }</pre>
 *
 * <p>Calls of several queues overlap: where a device computes, one copies or verifies meanwhile. A
 * call sees what earlier ones of its queue wrote. Until its future is done, its operands must not
 * be written, its results not read, and arenas of either not be closed; memory of a confined arena
 * is out of its reach.
 *
 * <p>Thread-safe. Calls wait in a list without bound, which allocates. The thread is a daemon;
 * listeners to faults of these calls run on it.
 */
public final class CallQueue implements AutoCloseable {
  private final Session session;
  private final Consumer<CallQueue> onClose;
  private final ExecutorService executor;
  private volatile @Nullable Thread thread;

  CallQueue(Session session, Consumer<CallQueue> onClose) {
    this.session = session;
    this.onClose = onClose;
    executor =
        Executors.newSingleThreadExecutor(work -> {
          Thread created = Thread.ofPlatform().daemon().name("regolith-queue").unstarted(work);
          thread = created;
          return created;
        });
  }

  /**
   * Submits a call, or several that belong together.
   *
   * @return what it returns, or throws. Done when the call has ended, and not before: it can be
   *     neither cancelled nor completed by others, and what is made of it can.
   * @throws IllegalStateException if the queue is closed
   */
  public <R> CompletableFuture<R> submit(Function<? super Session, ? extends R> call) {
    var result = new Call<R>();
    try {
      executor.execute(() -> result.run(call, session));
    } catch (RejectedExecutionException e) {
      throw new IllegalStateException("the queue is closed", e);
    }
    return result;
  }

  /** Throws if this is the queue's own thread, which cannot wait for itself. */
  void refuseItself() {
    if (Thread.currentThread().equals(thread)) {
      throw new IllegalStateException("a call closes the queue that it was submitted to");
    }
  }

  /**
   * Waits for all calls that were submitted, and ends the thread. Idempotent; an interrupt is kept
   * for later.
   *
   * @throws IllegalStateException if one of its own calls closes it
   */
  @Override
  public void close() {
    refuseItself();
    executor.shutdown();
    boolean interrupted = false;
    while (!executor.isTerminated()) {
      try {
        executor.awaitTermination(1, TimeUnit.DAYS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    onClose.accept(this);
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Done by its call alone: memory that the call uses is in use until then. */
  private static final class Call<R> extends CompletableFuture<R> {
    void run(Function<? super Session, ? extends R> call, Session session) {
      try {
        super.complete(call.apply(session));
      } catch (Throwable e) { // whatever it is, it is the call's result
        super.completeExceptionally(e);
      }
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
      return false;
    }

    @Override
    public boolean complete(R value) {
      return false;
    }

    @Override
    public boolean completeExceptionally(Throwable e) {
      return false;
    }

    @Override
    public CompletableFuture<R> completeAsync(Supplier<? extends R> supplier, Executor on) {
      throw refused();
    }

    @Override
    public void obtrudeValue(R value) {
      throw refused();
    }

    @Override
    public void obtrudeException(Throwable e) {
      throw refused();
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
      return new CompletableFuture<>();
    }

    private static UnsupportedOperationException refused() {
      return new UnsupportedOperationException("only the call itself completes its future");
    }
  }
}
