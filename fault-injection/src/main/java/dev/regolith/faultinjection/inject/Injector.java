package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.inject.Occurrence.Fate;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbeInstaller;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The probe's hook: either records every point that a call passes, or waits for one passing and
 * strikes. One thread at a time.
 */
final class Injector implements Probe.Hook {
  /** A region as a point names it; arrays have no address, but each point knows only one. */
  private record Place(ProbePoint point, long start, long rowBytes) {}

  private static @Nullable Injector installed;

  private final Map<ProbePoint, Integer> passed = new EnumMap<>(ProbePoint.class);
  private final Map<ProbePoint, Integer> ranked = new EnumMap<>(ProbePoint.class);
  private @Nullable List<Occurrence> recording;

  /** Where the recording has sums of rows of which it is not known yet what they are for. */
  private final List<Integer> sums = new ArrayList<>();

  private final Set<Place> seen = new HashSet<>();
  private @Nullable Occurrence target;
  private @Nullable Strike strike;

  private Injector() {}

  /** The injector of this JVM; it has to be there before the first kernel runs. */
  static synchronized Injector install() {
    if (installed == null) {
      var injector = new Injector();
      ProbeInstaller.install(injector);
      installed = injector;
    }
    return installed;
  }

  /** Starts recording. */
  void record() {
    reset();
    recording = new ArrayList<>();
  }

  /** What was recorded. */
  List<Occurrence> recorded() {
    var result = recording == null ? List.<Occurrence>of() : List.copyOf(recording);
    reset();
    return result;
  }

  /** Waits for the passing that {@code where} describes, and strikes it. */
  void arm(Occurrence where, Strike what) {
    reset();
    target = where;
    strike = what;
  }

  /** Neither records nor strikes. */
  void reset() {
    passed.clear();
    ranked.clear();
    sums.clear();
    seen.clear();
    recording = null;
    target = null;
    strike = null;
  }

  @Override
  public void reached(
      ProbePoint point, MemorySegment memory, long offset, long rows, long rowBytes, long stride) {
    boolean records = recording != null;
    if (!records && (target == null || target.point() != point)) {
      return;
    }
    int number = passed.merge(point, 1, Integer::sum) - 1;
    boolean repeated = false;
    boolean blank = false;
    int rank = number;
    if (recording != null) {
      if (point == ProbePoint.PACKED_B_WRITTEN) {
        // What was read there before was another panel.
        seen.remove(new Place(ProbePoint.PACKED_B_READ, memory.address() + offset, rowBytes));
      }
      repeated = !seen.add(new Place(point, memory.address() + offset, rowBytes));
      blank = Occurrence.isBlank(memory, offset, rows, rowBytes, stride);
      rank = ranked.merge(point, 1, Integer::sum) - 1;
    }
    var here =
        new Occurrence(
            point,
            number,
            rank,
            Fate.RETURNED,
            memory,
            offset,
            rows,
            rowBytes,
            stride,
            repeated,
            blank);
    if (recording != null) {
      sortOut(here, recording);
      recording.add(here);
    } else if (target != null && number == target.number() && strike != null) {
      strike.hit(here);
      target = null;
    }
  }

  /**
   * What is known now of what was passed before. Sums of rows that are stored after them are those
   * of the result; sums of a row that is compared after them are of its second computation. What
   * was checked, and is stored once more, is not what is returned.
   */
  private void sortOut(Occurrence here, List<Occurrence> recorded) {
    switch (here.point()) {
      case ROW_SUMS -> sums.add(recorded.size());
      case ROW_STORED -> sums.clear();
      case ROW_REPEATED -> {
        for (int at : sums) {
          recorded.set(at, recorded.get(at).with(Fate.COMPARED));
        }
        ranked.merge(ProbePoint.ROW_SUMS, -sums.size(), Integer::sum);
        sums.clear();
      }
      case C_STORED ->
          recorded.replaceAll(before ->
              before.point() == ProbePoint.C_CHECKED && before.overlaps(here)
                  ? before.with(Fate.REPLACED)
                  : before);
      default -> {}
    }
  }
}
