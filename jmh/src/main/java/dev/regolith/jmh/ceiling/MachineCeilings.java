package dev.regolith.jmh.ceiling;

import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.machine.MachineFacts;
import dev.regolith.kernels.Machine;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The ceilings of this machine. */
public final class MachineCeilings implements Ceilings {
  private static final long MOST_BYTES = 1L << 30;

  private static final int WARM_UP_PASSES = 4;

  /**
   * Bytes of a call that reads, so that a pass has many. With one call a pass, HotSpot has to
   * replace the loop while it runs; on a busy machine it came to that late, and as little as a
   * quarter of the bandwidth was reported.
   */
  private static final long CHUNK = 1 << 20;

  /** Keeps the compiler from dropping the reads. */
  @SuppressWarnings("unused")
  private static volatile float sink;

  private final Arena arena = Arena.ofShared();
  private final Map<Integer, Crew> crews = new HashMap<>();
  private @Nullable MemorySegment memory;

  @Override
  public double fmaPeak(int threads, long nanos) {
    return 1e9 * crew(threads).sum(thread -> Machine.fmaPeak(nanos / 1e9).orElse(Double.NaN));
  }

  @Override
  public void warmUp(int threads, long nanos, boolean memory) {
    fmaPeak(threads, nanos);
    for (int i = 0; memory && i < WARM_UP_PASSES; i++) {
      readBandwidth(threads);
    }
  }

  @Override
  public double readBandwidth(int threads) {
    MemorySegment all = memory();
    long share = all.byteSize() / threads / ReadLoop.blockBytes() * ReadLoop.blockBytes();
    var starts = new long[threads];
    var ends = new long[threads];
    double bytes =
        crew(threads)
            .sum(thread -> {
              starts[thread] = System.nanoTime();
              sink = sum(all, thread * share, (thread + 1) * share);
              ends[thread] = System.nanoTime();
              return share;
            });
    long first = starts[0];
    long last = ends[0];
    for (int thread = 1; thread < threads; thread++) {
      first = Math.min(first, starts[thread]);
      last = Math.max(last, ends[thread]);
    }
    return bytes / (last - first) * 1e9;
  }

  private static float sum(MemorySegment memory, long from, long to) {
    float sum = 0;
    for (long at = from; at < to; at += CHUNK) {
      sum += ReadLoop.sum(memory, at, Math.min(at + CHUNK, to));
    }
    return sum;
  }

  /**
   * A gibibyte, or a quarter of what is left on a small machine; written once, so that it is there.
   */
  private MemorySegment memory() {
    MemorySegment known = memory;
    if (known == null) {
      known = Draw.memory(arena, Math.min(MOST_BYTES, MachineFacts.availableBytes() / 4));
      known.fill((byte) 0);
      memory = known;
    }
    return known;
  }

  private Crew crew(int threads) {
    return crews.computeIfAbsent(threads, Crew::new);
  }

  @Override
  public void close() {
    crews.values().forEach(Crew::close);
    arena.close();
  }
}
