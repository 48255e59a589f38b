package dev.regolith.jmh.ceiling;

import java.util.ArrayList;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntToDoubleFunction;

/** Threads that begin a measurement together; asleep in between. The caller is one of them. */
final class Crew implements AutoCloseable {
  private final int size;
  private final ExecutorService helpers;
  private final CyclicBarrier start;

  Crew(int size) {
    this.size = size;
    helpers = Executors.newFixedThreadPool(Math.max(1, size - 1), Crew::daemon);
    start = new CyclicBarrier(size);
  }

  private static Thread daemon(Runnable task) {
    var thread = new Thread(task, "regolith-ceiling");
    thread.setDaemon(true);
    return thread;
  }

  /** Runs the task once per thread, with the thread's number, and adds up what they return. */
  double sum(IntToDoubleFunction task) {
    var others = new ArrayList<Future<Double>>();
    for (int i = 1; i < size; i++) {
      int number = i;
      others.add(helpers.submit(() -> together(task, number)));
    }
    try {
      double sum = together(task, 0);
      for (Future<Double> other : others) {
        sum += other.get();
      }
      return sum;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException | BrokenBarrierException e) {
      throw new IllegalStateException("a measurement of the machine failed", e);
    }
  }

  private double together(IntToDoubleFunction task, int number)
      throws InterruptedException, BrokenBarrierException {
    start.await();
    return task.applyAsDouble(number);
  }

  @Override
  public void close() {
    helpers.shutdownNow();
  }
}
