package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Threads that a session starts, takes in, and lets go. */
@Tag("device")
class SessionLifecycleTest {
  private static final int K = 600;
  private static final int N = 260;

  private static Set<Thread> workers() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("regolith-worker-"))
        .collect(Collectors.toSet());
  }

  private static Set<Thread> startedBy(Set<Thread> before) {
    var started = workers();
    started.removeAll(before);
    return started;
  }

  private static Tensor random(Arena arena, int seed, int rows, int columns) {
    return Tensor.of(
        arena, Operand.gaussian(new SplittableRandom(seed), rows * columns), rows, columns);
  }

  @Test
  void workersAreNamedAndEndWithTheSession() {
    var before = workers();
    var session = Regolith.open(options -> options.threads(3));
    var started = startedBy(before);
    assertThat(started)
        .extracting(Thread::getName)
        .containsExactlyInAnyOrder("regolith-worker-1", "regolith-worker-2");
    assertThat(started).allMatch(Thread::isDaemon);
    assertThat(session.threads()).isEqualTo(3);
    session.close();
    assertThat(started).noneMatch(Thread::isAlive);
    session.close();
  }

  @Test
  void oneThreadIsTheCallers() {
    var before = workers();
    try (var session = Regolith.open(options -> options.threads(1));
        var arena = Arena.ofConfined()) {
      var a = random(arena, 1, 40, 30);
      var c = Tensor.zeros(arena, DType.FLOAT32, 40, 40);
      assertThat(session.gemm(a, a.transposed(), c)).isEqualTo(Status.CLEAN);
      assertThat(startedBy(before)).isEmpty();
    }
  }

  @Test
  void closingWaitsForCallsInFlight() throws Exception {
    var session = Regolith.open(options -> options.threads(2));
    var inside = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    try (var arena = Arena.ofShared()) {
      var a = random(arena, 1, 40, 30);
      var c = Tensor.zeros(arena, DType.FLOAT32, 40, 40);
      var tiny = Tensor.zeros(arena, DType.FLOAT32, 0, 0);
      Probe.Hook hook =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.A_READ) {
              inside.countDown();
              await(goOn);
            }
          };
      var call = new FutureTask<>(() -> session.gemm(a, a.transposed(), c));
      Thread closer;
      try (var _ = ProbeRelay.lend(hook)) {
        Thread.ofPlatform().start(call);
        inside.await();
        closer = Thread.ofPlatform().start(session::close);
        while (accepts(session, tiny)) {
          Thread.onSpinWait();
        }
        assertThat(closer.isAlive()).isTrue();
        assertThat(call.isDone()).isFalse();
        goOn.countDown();
        assertThat(call.get()).isEqualTo(Status.CLEAN);
      }
      closer.join();
      assertThat(c.toArray()).isEqualTo(Chain.multiply(a, a.transposed()));
    }
  }

  private static boolean accepts(Session session, Tensor empty) {
    try {
      session.gemm(empty, empty, Tensor.wrap(new float[0], 0, 0));
      return true;
    } catch (IllegalStateException closed) {
      return false;
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void manyThreadsWithTheSameWeights() throws Exception {
    try (var under = SessionUnderTest.open(options -> options.threads(2));
        var arena = Arena.ofShared()) {
      callFromEightThreads(under.session(), arena, i -> i < 15, new AtomicIntegerArray(8));
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Words of the shared weights change again and again, one at a time, while others read them. */
  @Test
  void manyThreadsWithWeightsThatAreDamagedMeanwhile() throws Exception {
    var progress = new AtomicIntegerArray(8);
    var damage = new RepeatedDamage(progress);
    try (var under = SessionUnderTest.open(options -> options.threads(2));
        var arena = Arena.ofShared();
        var _ = ProbeRelay.lend(damage)) {
      callFromEightThreads(
          under.session(), arena, i -> i < 10_000 && damage.count.get() < 12, progress);
      assertThat(damage.count.get()).isGreaterThanOrEqualTo(12);
      assertThat(under.reports()).isNotEmpty();
      assertThat(under.session().counters().uncorrectable()).isZero();
    }
  }

  private static void callFromEightThreads(
      Session session, Arena arena, IntPredicate more, AtomicIntegerArray progress)
      throws InterruptedException, ExecutionException {
    var b = random(arena, 2, K, N);
    var weights = session.pack(b.transposed()).transposed();
    try (var callers = Executors.newFixedThreadPool(8)) {
      var results = new ArrayList<Future<?>>();
      for (int caller = 0; caller < 8; caller++) {
        int rows = 5 + 12 * (caller % 4);
        var a = random(arena, 10 + caller, rows, K);
        var c = Tensor.zeros(arena, DType.FLOAT32, rows, N);
        float[] expected = Chain.multiply(a, b);
        int number = caller;
        results.add(
            callers.submit(() -> {
              for (int i = 0; more.test(i); i++) {
                progress.incrementAndGet(number);
                assertThat(session.gemm(a, weights, c)).isNotEqualTo(Status.DETECTED);
                assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
              }
            }));
      }
      for (var result : results) {
        result.get();
      }
    }
  }

  /**
   * Damages a word of a panel about to be read, once the last damaged one was put back and every
   * caller has gone on to another call: faults are rare events, no call meets a storm of them.
   */
  private static final class RepeatedDamage implements Probe.Hook {
    private final AtomicInteger count = new AtomicInteger();
    private final SplittableRandom random = new SplittableRandom(77);
    private final AtomicIntegerArray progress;
    private long at;
    private int original;
    private final int[] seen;

    RepeatedDamage(AtomicIntegerArray progress) {
      this.progress = progress;
      this.seen = new int[progress.length()];
    }

    private boolean everybodyWentOn() {
      if (IntStream.range(0, seen.length).anyMatch(i -> progress.get(i) <= seen[i])) {
        return false;
      }
      Arrays.setAll(seen, progress::get);
      return true;
    }

    @Override
    public synchronized void reached(
        ProbePoint point, MemorySegment panels, long offset, long rows, long bytes, long stride) {
      if (point != ProbePoint.PACKED_B_READ && point != ProbePoint.DEVICE_B_READ) {
        return;
      }
      if (isMended(panels) && everybodyWentOn()) {
        at = offset + 4 * random.nextLong(bytes / 4);
        original = panels.get(ValueLayout.JAVA_INT, at);
        panels.set(ValueLayout.JAVA_INT, at, original ^ 1 << random.nextInt(32));
        count.incrementAndGet();
      }
    }

    private boolean isMended(MemorySegment panels) {
      return count.get() == 0
          || (at < panels.byteSize() && panels.get(ValueLayout.JAVA_INT, at) == original);
    }
  }

  @Test
  void callsAfterCloseAreRefused() {
    var session = Regolith.open(options -> options.threads(1));
    session.close();
    var empty = Tensor.wrap(new float[0], 0, 0);
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> session.gemm(empty, empty, empty))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
  }
}
