package dev.regolith.kernels.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.SplittableRandom;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every task is done exactly once, whoever is awake. */
@Tag("once")
class TeamTest {
  private static void runs(Team team, int count) {
    var done = new AtomicIntegerArray(count);
    var busyWorkers = new AtomicIntegerArray(team.threads());
    team.run(
        count,
        (task, worker) -> {
          // Two tasks at once with one worker's buffers would be a disaster.
          assertThat(busyWorkers.incrementAndGet(worker)).isEqualTo(1);
          done.incrementAndGet((int) task);
          busyWorkers.decrementAndGet(worker);
        });
    for (int task = 0; task < count; task++) {
      if (done.get(task) != 1) {
        throw new AssertionError(
            "task %d of %d done %d times".formatted(task, count, done.get(task)));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1000, 50_000})
  void exactlyOnceFromSeveralCallers(long spinNanos) throws Exception {
    try (var team = new Team(3, spinNanos, () -> {});
        var callers = Executors.newFixedThreadPool(3)) {
      var results = new ArrayList<Future<?>>();
      for (int caller = 0; caller < 3; caller++) {
        var random = new SplittableRandom(caller);
        results.add(
            callers.submit(() -> {
              for (int i = 0; i < 20_000; i++) {
                runs(team, random.nextInt(12));
              }
            }));
      }
      for (var result : results) {
        result.get();
      }
    }
  }

  /** Helpers park between calls and wake when the call may be over. */
  @Test
  void lateWakers() {
    try (var team = new Team(4, 0, () -> {})) {
      for (int i = 0; i < 30_000; i++) {
        runs(team, 2 + i % 3);
      }
    }
  }

  @Test
  void tasksThatStartTasks() {
    try (var team = new Team(3, 1000, () -> {})) {
      for (int i = 0; i < 500; i++) {
        var inner = new AtomicInteger();
        team.run(5, (task, worker) -> team.run(7, (t, w) -> inner.incrementAndGet()));
        assertThat(inner.get()).isEqualTo(35);
      }
    }
  }

  @Test
  void whatATaskThrowsIsThrownByTheCall() {
    try (var team = new Team(3, 1000, () -> {})) {
      for (int i = 0; i < 500; i++) {
        int bad = i % 10;
        assertThatThrownBy(() ->
                team.run(
                    10,
                    (task, worker) -> {
                      if (task == bad) {
                        throw new IllegalCallerException("task " + task);
                      }
                    }))
            .isInstanceOf(IllegalCallerException.class)
            .hasMessage("task " + bad);
        runs(team, 10);
      }
    }
  }

  @Test
  void noTaskRunsOnAfterTheCallReturned() {
    try (var team = new Team(3, 0, () -> {})) {
      for (int i = 0; i < 2000; i++) {
        var returned = new AtomicBoolean();
        var late = new AtomicBoolean();
        try {
          team.run(
              6,
              (task, worker) -> {
                if (task == 0) {
                  throw new IllegalCallerException();
                }
                late.compareAndSet(false, returned.get());
              });
        } catch (IllegalCallerException expected) {
          returned.set(true);
        }
        assertThat(returned.get()).isTrue();
        assertThat(late.get()).isFalse();
      }
    }
  }

  @Test
  void helpersAnnounceThemselvesAndEnd() {
    var started = new AtomicInteger();
    var team = new Team(4, 0, started::incrementAndGet);
    assertThat(team.threads()).isEqualTo(4);
    team.close();
    assertThat(started.get()).isEqualTo(3);
    runs(team, 5); // by the caller alone: nothing hangs
  }

  @Test
  void anInterruptedCallerStillWaits() {
    try (var team = new Team(3, 0, () -> {})) {
      Thread.currentThread().interrupt();
      for (int i = 0; i < 200; i++) {
        runs(team, 9);
      }
      assertThat(Thread.interrupted()).isTrue();
    }
  }
}
