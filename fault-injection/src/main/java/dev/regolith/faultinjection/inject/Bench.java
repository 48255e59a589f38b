package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.faultinjection.inject.Occurrence.Fate;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One workload in memory for one arm. Runs it with and without a strike, and puts everything back
 * afterwards.
 *
 * <p>A run is two calls. The second, of the same operands into other outputs, is the next reader of
 * whatever the first left behind; the outputs are read by their own next reader, which verifies
 * their seals.
 */
final class Bench implements AutoCloseable {
  /** A buffer and what it held when it was made. */
  private record Kept(MemorySegment memory, MemorySegment pristine) {
    Kept(MemorySegment memory) {
      this(memory, MemorySegment.ofArray(memory.toArray(ValueLayout.JAVA_BYTE)));
    }

    boolean damaged() {
      return memory.mismatch(pristine) >= 0;
    }

    void restore() {
      if (damaged()) {
        memory.copyFrom(pristine);
      }
    }
  }

  /**
   * What a run came to.
   *
   * @param first the outputs of the first call, one after the other, row-major
   * @param second those of the second
   * @param corrected whether anything was claimed to be corrected
   * @param given whether anything was thrown or reported as uncorrected
   * @param alarms reports of any kind
   * @param crash what a call threw that no call should throw; null if nothing
   * @param latent whether a persistent buffer was still damaged after the last reader
   */
  @SuppressWarnings("ArrayRecordComponent") // a bundle of results; nobody compares or prints it
  record Run(
      float[] first,
      float[] second,
      boolean corrected,
      boolean given,
      List<FaultReport> alarms,
      @Nullable Throwable crash,
      boolean latent) {}

  private final Setup setup;
  private final Session session;
  private final Injector injector;
  private final List<FaultReport> reports;
  private final boolean verifies;
  private final List<Kept> kept = new ArrayList<>();
  private final List<Occurrence> occurrences;
  private final Map<ProbePoint, List<Occurrence>> byPoint;

  Bench(Setup setup, Arm arm, Session session, List<FaultReport> reports, Injector injector) {
    this.setup = setup;
    this.session = session;
    this.reports = reports;
    this.injector = injector;
    verifies = arm == Arm.CORRECT;
    occurrences = record();
    byPoint =
        occurrences.stream()
            .filter(occurrence -> occurrence.fate() != Fate.COMPARED)
            .collect(Collectors.groupingBy(Occurrence::point));
    keep();
  }

  private List<Occurrence> record() {
    setup.open(setup.first());
    setup.compute(setup.first()); // what only a first call does is no part of any trial
    setup.open(setup.first());
    injector.record();
    setup.compute(setup.first());
    return injector.recorded();
  }

  private void keep() {
    Set<List<Object>> known = new HashSet<>();
    for (Occurrence occurrence : occurrences) {
      if (!setup.outlivesCall(occurrence)) {
        continue;
      }
      MemorySegment memory = occurrence.memory();
      Object base = memory.heapBase().orElse(memory.address());
      if (known.add(List.of(base, memory.byteSize()))) {
        kept.add(new Kept(memory));
      }
    }
  }

  /** Every passing of a probe point in a fault-free call. */
  List<Occurrence> occurrences() {
    return occurrences;
  }

  /** Whether a call of this arm passes a point at all. */
  boolean passes(ProbePoint point) {
    return byPoint.containsKey(point);
  }

  /** The passing that corresponds to one of the other arm; null if it does not exist here. */
  @Nullable Occurrence counterpart(Occurrence other) {
    if (other.fate() == Fate.COMPARED) {
      return verifies ? other : null; // nothing is computed twice without protection
    }
    List<Occurrence> passings = byPoint.getOrDefault(other.point(), List.of());
    if (other.point() == ProbePoint.C_STORED || other.point() == ProbePoint.C_CHECKED) {
      // Under protection the same words may be passed several times, and in another order.
      return passings.stream()
          .filter(passing -> passing.fate() == Fate.RETURNED && passing.isPlacedLike(other))
          .findFirst()
          .orElse(null);
    }
    return other.rank() < passings.size() ? passings.get(other.rank()) : null;
  }

  /** Runs without a fault. */
  Run run() {
    return run(null, Window.When.DURING, new Strike(FaultModel.ONE_BIT, 0));
  }

  /** Runs with a strike. */
  Run run(@Nullable Occurrence where, Window.When when, Strike strike) {
    Throwable crash = null;
    boolean given = false;
    boolean corrected = false;
    try {
      setup.open(setup.first());
      setup.open(setup.second());
      setup.precede();
      reports.clear(); // of this run only
      if (where != null) {
        switch (when) {
          case BEFORE -> strike.hit(where);
          case DURING, SECOND, FIRST, AGAIN -> injector.arm(where, strike);
          case AFTER -> {}
        }
      }
      corrected |= setup.compute(setup.first()) == Status.CORRECTED;
      injector.reset();
      if (where != null && when == Window.When.AFTER) {
        strike.hit(where);
      }
      corrected |= verify(setup.first()) == Status.CORRECTED;
      corrected |= setup.compute(setup.second()) == Status.CORRECTED;
      corrected |= verify(setup.second()) == Status.CORRECTED;
    } catch (UncorrectableFaultException e) {
      given = true;
    } catch (RuntimeException | Error e) {
      crash = e;
    } finally {
      injector.reset();
    }
    given |=
        reports.stream()
            .anyMatch(report ->
                report.resolution() == Resolution.DETECTED
                    || report.resolution() == Resolution.UNCORRECTABLE);
    boolean latent = verifies && (kept.stream().anyMatch(Kept::damaged) || lingers());
    var run =
        new Run(
            values(setup.first()),
            values(setup.second()),
            corrected,
            given,
            List.copyOf(reports),
            crash,
            latent);
    kept.forEach(Kept::restore);
    setup.restoreInputs();
    return run;
  }

  private Status verify(List<Tensor> outputs) {
    Status worst = Status.CLEAN;
    for (Tensor output : outputs) {
      Status status = session.verify(output);
      worst = worst.worse(status);
    }
    return worst;
  }

  /** Whether the outputs' next reader but one still finds something. */
  private boolean lingers() {
    try {
      return verify(setup.first()) != Status.CLEAN || verify(setup.second()) != Status.CLEAN;
    } catch (UncorrectableFaultException e) {
      return true;
    }
  }

  private static float[] values(List<Tensor> outputs) {
    if (outputs.size() == 1) {
      return outputs.getFirst().toArray();
    }
    int length = 0;
    for (Tensor output : outputs) {
      length += Math.toIntExact(output.elements());
    }
    var all = new float[length];
    int at = 0;
    for (Tensor output : outputs) {
      float[] values = output.toArray();
      System.arraycopy(values, 0, all, at, values.length);
      at += values.length;
    }
    return all;
  }

  @Override
  public void close() {
    setup.close();
  }
}
