package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.kernels.PackedMatrix;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.FaultReport;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One workload laid out in memory for one arm: operands, packed weights, seals. Runs it with and
 * without a strike, and puts everything back afterwards.
 *
 * <p>A run is two products. The second, of the same operands into another output, is the next
 * reader of whatever the first left behind; the outputs are read by their own next reader, which
 * verifies their seals.
 */
final class Bench {
  /** Buffers that outlive a call: damage that stays in them would be latent. */
  private static final Set<ProbePoint> PERSISTENT =
      EnumSet.of(
          ProbePoint.A_READ,
          ProbePoint.A_SEAL,
          ProbePoint.PACKED_B_READ,
          ProbePoint.PACKED_B_SEAL,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.CHECK_VECTORS_READ,
          ProbePoint.CHECK_VECTORS_SEAL);

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
   * @param first the first output, row-major
   * @param second the second output, row-major
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

  private final Workload workload;
  private final Session session;
  private final Injector injector;
  private final List<FaultReport> reports;
  private final boolean verifies;
  private final Tensor a;
  private final @Nullable Tensor b;
  private final @Nullable PackedMatrix packed;
  private final Tensor c;
  private final Tensor second;
  private final List<Kept> kept = new ArrayList<>();
  private final List<Occurrence> occurrences;
  private final Map<ProbePoint, List<Occurrence>> byPoint;

  Bench(
      Workload workload,
      Arm arm,
      Session session,
      List<FaultReport> reports,
      Arena arena,
      Injector injector) {
    this.workload = workload;
    this.session = session;
    this.reports = reports;
    this.injector = injector;
    verifies = arm == Arm.CORRECT;
    a = matrix(arena, workload.m(), workload.k(), workload.strided());
    write(a, workload.a());
    Tensor weights = Tensor.of(arena, workload.weights(), workload.n(), workload.k());
    if (workload.packed()) {
      packed = session.pack(arena, weights).transposed();
      b = null;
    } else {
      packed = null;
      b = weights.transposed();
    }
    if (verifies && workload.sealed()) {
      session.seal(a);
    }
    c = matrix(arena, workload.m(), workload.n(), workload.strided());
    second = matrix(arena, workload.m(), workload.n(), workload.strided());
    occurrences = record();
    byPoint = occurrences.stream().collect(Collectors.groupingBy(Occurrence::point));
    keep();
  }

  private static Tensor matrix(Arena arena, long rows, long columns, boolean strided) {
    return strided
        ? Tensor.zeros(arena, DType.FLOAT32, columns, rows).transposed()
        : Tensor.zeros(arena, DType.FLOAT32, rows, columns);
  }

  private List<Occurrence> record() {
    open(c);
    injector.record();
    multiply(c);
    return injector.recorded();
  }

  private void keep() {
    Set<List<Object>> known = new HashSet<>();
    for (Occurrence occurrence : occurrences) {
      boolean lasts = PERSISTENT.contains(occurrence.point());
      boolean ofB =
          occurrence.point() != ProbePoint.A_READ && occurrence.point() != ProbePoint.A_SEAL;
      // A strided A is read from a copy that ends with the call.
      boolean made = ofB ? workload.packed() : workload.sealed() && !workload.strided();
      MemorySegment memory = occurrence.memory();
      Object base = memory.heapBase().orElse(memory.address());
      if (lasts && made && known.add(List.of(base, memory.byteSize()))) {
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
    List<Occurrence> passings = byPoint.getOrDefault(other.point(), List.of());
    return other.number() < passings.size() ? passings.get(other.number()) : null;
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
      open(c);
      open(second);
      reports.clear(); // of this run only
      if (where != null) {
        switch (when) {
          case BEFORE -> strike.hit(where);
          case DURING, FIRST, AGAIN -> injector.arm(where, strike);
          case AFTER -> {}
        }
      }
      corrected |= multiply(c) == Status.CORRECTED;
      injector.reset();
      if (where != null && when == Window.When.AFTER) {
        strike.hit(where);
      }
      corrected |= session.verify(c) == Status.CORRECTED;
      corrected |= multiply(second) == Status.CORRECTED;
      corrected |= session.verify(second) == Status.CORRECTED;
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
            c.toArray(), second.toArray(), corrected, given, List.copyOf(reports), crash, latent);
    kept.forEach(Kept::restore);
    restoreInputs();
    return run;
  }

  /** Whether the outputs' next reader but one still finds something. */
  private boolean lingers() {
    try {
      return session.verify(c) != Status.CLEAN || session.verify(second) != Status.CLEAN;
    } catch (UncorrectableFaultException e) {
      return true;
    }
  }

  /**
   * Prepares an output: the old values, sealed as their producer would have left them, or NaN, so
   * that a store that does not happen shows.
   */
  private void open(Tensor output) {
    boolean blends = workload.beta() != 0;
    try (var edit = session.edit(output)) {
      MemorySegment memory = edit.segment();
      int at = 0;
      for (int i = 0; i < workload.m(); i++) {
        for (int j = 0; j < workload.n(); j++) {
          float value = blends ? workload.old()[at++] : Float.NaN;
          memory.setAtIndex(
              ValueLayout.JAVA_FLOAT, i * output.stride(0) + j * output.stride(1), value);
        }
      }
    }
    if (blends && verifies && !output.isSealed()) {
      session.seal(output);
    }
  }

  /** Operands that nobody watches over are simply written again. */
  private void restoreInputs() {
    if (!(verifies && workload.sealed())) {
      write(a, workload.a());
    }
    if (b != null) {
      write(b.transposed(), workload.weights());
    }
  }

  /** Writes a row-major array into a matrix of any layout that is not sealed. */
  private static void write(Tensor tensor, float[] values) {
    MemorySegment memory = tensor.segment();
    long columns = tensor.size(1);
    for (int at = 0; at < values.length; at++) {
      memory.setAtIndex(
          ValueLayout.JAVA_FLOAT,
          at / columns * tensor.stride(0) + at % columns * tensor.stride(1),
          values[at]);
    }
  }

  private Status multiply(Tensor output) {
    float alpha = workload.alpha();
    float beta = workload.beta();
    if (packed != null) {
      return session.gemm(alpha, a, packed, beta, output);
    }
    return session.gemm(alpha, a, Objects.requireNonNull(b), beta, output);
  }
}
