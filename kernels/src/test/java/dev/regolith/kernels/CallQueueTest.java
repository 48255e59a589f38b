package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Calls that are made while the caller goes on. */
@Tag("device")
class CallQueueTest {
  private static final int N = 70;

  private final Arena arena = Arena.ofShared();
  private final Session session = Regolith.open(o -> o.threads(2));

  @AfterEach
  void close() {
    session.close();
    arena.close();
  }

  private Tensor random(int seed) {
    var random = new SplittableRandom(seed);
    var values = new float[N * N];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return Tensor.of(arena, values, N, N);
  }

  private Tensor zeros() {
    return Tensor.zeros(arena, DType.FLOAT32, N, N);
  }

  /** A chain of products, each of which reads what the one before wrote. */
  @Test
  void inOrder() {
    Tensor a = random(1);
    List<Tensor> direct = IntStream.range(0, 20).mapToObj(i -> zeros()).toList();
    List<Tensor> queued = IntStream.range(0, 20).mapToObj(i -> zeros()).toList();
    session.gemm(a, a, direct.getFirst());
    var order = Collections.synchronizedList(new ArrayList<Integer>());
    var futures = new ArrayList<CompletableFuture<Status>>();
    try (var queue = session.newQueue()) {
      futures.add(queue.submit(s -> s.gemm(a, a, queued.getFirst())));
      for (int i = 1; i < direct.size(); i++) {
        int step = i;
        session.gemm(direct.get(step - 1), a, direct.get(step));
        futures.add(
            queue.submit(s -> {
              order.add(step);
              return s.gemm(queued.get(step - 1), a, queued.get(step));
            }));
      }
    }
    assertThat(order).isSorted().hasSize(19);
    assertThat(futures).allMatch(future -> future.join() == Status.CLEAN);
    for (int i = 0; i < direct.size(); i++) {
      assertThat(queued.get(i).toArray()).isEqualTo(direct.get(i).toArray());
    }
  }

  /** Each waits until the other has begun. */
  @Test
  void severalQueuesOverlap() {
    Tensor a = random(2);
    var begun = new CountDownLatch(2);
    try (var one = session.newQueue();
        var other = session.newQueue()) {
      List<Tensor> results = List.of(zeros(), zeros());
      var first = one.submit(s -> meetAndMultiply(s, begun, a, results.getFirst()));
      var second = other.submit(s -> meetAndMultiply(s, begun, a, results.getLast()));
      assertThat(first.join()).isEqualTo(Status.CLEAN);
      assertThat(second.join()).isEqualTo(Status.CLEAN);
      assertThat(results.getFirst().toArray()).isEqualTo(results.getLast().toArray());
    }
  }

  private static Status meetAndMultiply(Session s, CountDownLatch begun, Tensor a, Tensor c) {
    begun.countDown();
    try {
      assertThat(begun.await(1, TimeUnit.MINUTES)).as("both have begun").isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    return s.gemm(a, a, c);
  }

  @Test
  void whatACallThrows() {
    try (var queue = session.newQueue()) {
      Tensor a = random(3);
      var bad = queue.submit(s -> s.gemm(a, a, a));
      var good = queue.submit(s -> s.gemm(a, a, zeros()));
      assertThatThrownBy(bad::join)
          .isInstanceOf(CompletionException.class)
          .cause()
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(good.join()).isEqualTo(Status.CLEAN);
    }
  }

  @Test
  void closingWaitsForWhatWasSubmitted() {
    Tensor a = random(4);
    var calls = new ArrayList<CompletableFuture<Status>>();
    var queue = session.newQueue();
    for (int i = 0; i < 50; i++) {
      Tensor c = zeros();
      calls.add(queue.submit(s -> s.gemm(a, a, c)));
    }
    Thread.currentThread().interrupt();
    session.close();
    assertThat(Thread.interrupted()).as("the interrupt is kept").isTrue();
    assertThat(calls).allMatch(call -> call.join() == Status.CLEAN);
    assertThatThrownBy(() -> queue.submit(Session::threads))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the queue is closed");
    assertThatThrownBy(session::newQueue).isInstanceOf(IllegalStateException.class);
    queue.close();
  }

  /** A future that is done would say that memory is free. */
  @Test
  void nobodyElseCompletesAFuture() {
    Tensor a = random(5);
    var go = new CountDownLatch(2);
    try (var queue = session.newQueue()) {
      List<Tensor> results = List.of(zeros(), zeros());
      var running = queue.submit(s -> meetAndMultiply(s, go, a, results.getFirst()));
      var waiting = queue.submit(s -> s.gemm(a, a, results.getLast()));
      for (var future : List.of(running, waiting)) {
        assertThat(future.cancel(true)).isFalse();
        assertThat(future.complete(Status.DETECTED)).isFalse();
        assertThat(future.completeExceptionally(new IllegalStateException())).isFalse();
        assertThatThrownBy(() -> future.obtrudeValue(Status.DETECTED))
            .isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> future.completeAsync(() -> Status.DETECTED))
            .isInstanceOf(UnsupportedOperationException.class);
        assertThat(future.orTimeout(1, TimeUnit.NANOSECONDS)).isSameAs(future);
        assertThat(future.thenApply(Status::name).cancel(true)).isTrue();
      }
      assertThat(waiting).isNotDone();
      go.countDown();
      assertThat(running.join()).isEqualTo(Status.CLEAN);
      assertThat(waiting.join()).isEqualTo(Status.CLEAN);
      assertThat(results.getLast().toArray()).isEqualTo(results.getFirst().toArray());
    }
  }

  @Test
  void aCallCannotCloseItsSession() {
    try (var queue = session.newQueue()) {
      var closing =
          queue.submit(s -> {
            s.close();
            return true;
          });
      assertThatThrownBy(closing::join).cause().isInstanceOf(IllegalStateException.class);
      assertThat(queue.submit(Session::threads).join()).isEqualTo(2);
    }
  }

  @Test
  void aCallCannotCloseItsQueue() {
    try (var queue = session.newQueue()) {
      var closing = queue.submit(_ -> close(queue));
      assertThatThrownBy(closing::join).cause().isInstanceOf(IllegalStateException.class);
      assertThat(queue.submit(Session::threads).join()).isEqualTo(2);
    }
  }

  private static boolean close(CallQueue queue) {
    queue.close();
    return true;
  }
}
