package dev.regolith.kernels;

import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** How often each point is reached; any number of threads. */
final class ProbeCounts implements Probe.Hook {
  private final Map<ProbePoint, Long> counts = new ConcurrentHashMap<>();

  @Override
  public void reached(
      ProbePoint point, MemorySegment memory, long offset, long rows, long rowBytes, long stride) {
    counts.merge(point, 1L, Long::sum);
  }

  long of(ProbePoint point) {
    return counts.getOrDefault(point, 0L);
  }
}
