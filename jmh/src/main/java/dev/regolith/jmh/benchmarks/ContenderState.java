package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.contender.RegolithContender;
import dev.regolith.jmh.contender.Sessions;
import dev.regolith.jmh.contender.Way;
import dev.regolith.jmh.measure.Exercises;
import dev.regolith.jmh.peer.PeerEnvironment;
import dev.regolith.jmh.peer.Peers;
import dev.regolith.jmh.peer.Waiting;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Sizes;
import dev.regolith.kernels.fault.Protection;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What all benchmarks share: one contender, prepared and checked. Of a peer that has several entry
 * points the last is taken, which is the one with weights packed ahead or with a cache.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 2,
    jvmArgsPrepend = {"--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
@State(Scope.Benchmark)
public abstract class ContenderState {
  /** Core type for OpenBLAS, by this system property; empty is its own choice. */
  private static final String OPENBLAS_CORE = "dev.regolith.jmh.openBlasCore";

  /** Who computes: regolith or a peer. */
  @Param(Impl.REGOLITH)
  public String impl = Impl.REGOLITH;

  /** What regolith does about faults: CORRECT, DETECT or OFF; peers take OFF only. */
  @Param({"CORRECT", "OFF"})
  public String protection = "";

  /** How many threads a product may use. */
  @Param("1")
  public int threads = 1;

  private final Arena arena = Arena.ofShared();
  private final Sessions sessions = new Sessions();
  private Computation computation;

  /** What is computed, as on the command line of {@code regolith bench}. */
  abstract Sizes sizes();

  /** Whether weights are packed ahead. */
  abstract Operands operands();

  /** Prepares the contender and checks its result. */
  @Setup(Level.Trial)
  public void prepare() {
    var row = new Row(Group.of(sizes()), sizes(), operands(), threads);
    var exercise = Exercises.of(sizes(), arena);
    List<Way> ways = contender().ways(row);
    if (ways.isEmpty()) {
      throw new IllegalArgumentException("%s has no %s".formatted(impl, sizes().kernel()));
    }
    computation = ways.getLast().prepare(row, exercise, arena);
    computation.spoil();
    computation.run();
    exercise
        .check()
        .refuse(computation.result())
        .ifPresent(refusal -> {
          throw new IllegalStateException(impl + ": " + refusal);
        });
  }

  private Contender contender() {
    if (impl.equals(Impl.REGOLITH)) {
      return new RegolithContender(
          sessions, Protection.valueOf(protection.toUpperCase(Locale.ROOT)));
    }
    if (!protection.equalsIgnoreCase(Impl.NONE)) {
      throw new IllegalArgumentException(
          "%s has no protection; add -p protection=OFF".formatted(impl));
    }
    PeerEnvironment.cleanOwn(Waiting.BRIEF, System.getProperty(OPENBLAS_CORE, ""));
    Peers peers = Peers.open(Set.of(impl));
    if (peers.present().isEmpty()) {
      throw new IllegalStateException(
          "%s is absent: %s"
              .formatted(impl, peers.absent().getOrDefault(impl, "nobody knows of it")));
    }
    return peers.present().getFirst();
  }

  /** One call. */
  final void run() {
    computation.run();
  }

  /** Frees everything. */
  @TearDown(Level.Trial)
  public void close() {
    computation.close();
    sessions.close();
    arena.close();
  }
}
