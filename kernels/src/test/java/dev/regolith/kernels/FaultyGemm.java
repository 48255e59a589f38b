package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * A product in which everything occurs that a fault can hit: several k-blocks, and check blocks
 * along both dimensions, tails everywhere, both factors, an old C.
 */
final class FaultyGemm implements AutoCloseable {
  private static final int N = 150;

  /** What the scalar backend does not have: it copies no strip and parks no partial sum. */
  private static final Set<ProbePoint> NOT_SCALAR =
      EnumSet.of(
          ProbePoint.PACKED_A_WRITTEN,
          ProbePoint.PACKED_A_READ,
          ProbePoint.PACKED_A_LAST_USE,
          ProbePoint.PACKED_A_DIGEST,
          ProbePoint.PARTIAL_SUM_READ,
          ProbePoint.PARTIAL_SUM_LAST_USE,
          ProbePoint.PARTIAL_SUM_DIGEST,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.TILE_WRITTEN,
          ProbePoint.C_CHECKED);

  /** The moments of a product on the CPU; what follows belongs to other operators. */
  private static final Set<ProbePoint> OF_GEMM =
      EnumSet.range(ProbePoint.A_READ, ProbePoint.TOLERANCE);

  /** What the host does not do where a device computes: it only verifies. */
  private static final Set<ProbePoint> NOT_DEVICE =
      EnumSet.of(
          ProbePoint.PACKED_A_READ,
          ProbePoint.PACKED_A_LAST_USE,
          ProbePoint.PACKED_A_DIGEST,
          ProbePoint.PACKED_B_LAST_USE,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.PARTIAL_SUM_READ,
          ProbePoint.PARTIAL_SUM_LAST_USE,
          ProbePoint.PARTIAL_SUM_DIGEST,
          ProbePoint.TILE_WRITTEN,
          ProbePoint.OLD_C_READ);

  /** What there is only where a device computes. */
  private static final Set<ProbePoint> OF_DEVICE =
      EnumSet.range(ProbePoint.DEVICE_PANELS_UPLOAD, ProbePoint.DEVICE_SUMS);

  /** What there is only where a device makes the evidence. */
  private static final Set<ProbePoint> OF_EVIDENCE =
      EnumSet.of(ProbePoint.DEVICE_RECORDS_READ, ProbePoint.DEVICE_RECORDS_LAST_USE);

  /** What the host does not do then: it predicts nothing. */
  private static final Set<ProbePoint> NOT_EVIDENCE =
      EnumSet.of(
          ProbePoint.A_PREDICTED,
          ProbePoint.PACKED_A_WRITTEN,
          ProbePoint.CHECK_VECTORS_READ,
          ProbePoint.CHECK_VECTORS_LAST_USE,
          ProbePoint.TOLERANCE_COEFFICIENTS_READ);

  /** What there is only where A and B are multiplied where they lie. */
  private static final Set<ProbePoint> OF_DIRECT =
      EnumSet.of(
          ProbePoint.B_READ,
          ProbePoint.B_MULTIPLIED,
          ProbePoint.B_LAST_USE,
          ProbePoint.COLUMN_SUMS_READ);

  /**
   * What there is not, then: nobody multiplies copies but of the last columns, there is one
   * k-block, and nobody makes check vectors.
   */
  private static final Set<ProbePoint> NOT_DIRECT =
      EnumSet.of(
          ProbePoint.PACKED_A_WRITTEN,
          ProbePoint.PACKED_A_READ,
          ProbePoint.PACKED_A_LAST_USE,
          ProbePoint.PACKED_A_DIGEST,
          ProbePoint.PACKED_B_SEAL,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.CHECK_VECTORS_READ,
          ProbePoint.CHECK_VECTORS_LAST_USE,
          ProbePoint.CHECK_VECTORS_SEAL,
          ProbePoint.TOLERANCE_COEFFICIENTS_READ,
          ProbePoint.PARTIAL_SUM_READ,
          ProbePoint.PARTIAL_SUM_LAST_USE,
          ProbePoint.PARTIAL_SUM_DIGEST);

  /**
   * What there is not, either, where kernels bring also the last columns into C from where B is.
   */
  private static final Set<ProbePoint> NOT_MASKED =
      EnumSet.of(ProbePoint.PACKED_B_READ, ProbePoint.PACKED_B_LAST_USE, ProbePoint.TILE_WRITTEN);

  /** How it is computed, and with what. */
  enum Variant {
    /** Packed weights, A sealed by the call, more k-blocks than are copied together, one thread. */
    PACKED(1, Compute.BEST, true, false, 2100, -1.5f, 0.5f),
    /** B packed by the call, A and old C sealed before, two threads. */
    SEALED(2, Compute.BEST, false, true),
    /** The same, but B packed while computing, one thread. */
    PASSING(1, Compute.BEST, false, true),
    /** A, B and old C sealed before, and A and B multiplied where they lie, one thread. */
    DIRECT(1, Compute.BEST, false, true, 130, -1.5f, 0.5f),
    /** The same without factors, two threads. */
    DIRECT_INTO_C(2, Compute.BEST, false, true, 130, 1, 0),
    /** The same of few steps, one thread. */
    SHALLOW(1, Compute.BEST, false, true, 14, 1, 0),
    /** The same of many steps and few rows: a few rows of B at a time. */
    SKINNY(1, Compute.BEST, false, true, 1100, 1, 0, 11),
    /** The same of two rows, which are added to C from row to row of B. */
    PAIR(1, Compute.BEST, false, true, 530, 1, 0, 2),
    /** The same of a single row, two threads. */
    ROW(2, Compute.BEST, false, true, 1100, 1, 0, 1),
    /**
     * Packed weights, few steps and A sealed before: panels and A are multiplied where they lie.
     */
    SMALL(1, Compute.BEST, true, true, 130, -1.5f, 0.5f),
    /** The same without factors. */
    SMALL_INTO_C(1, Compute.BEST, true, true, 130, 1, 0),
    /** Packed weights, the scalar twin. */
    SCALAR(1, Compute.SCALAR, true, false);

    private final int threads;
    private final Compute compute;
    private final boolean packed;
    private final boolean sealed;
    private final int depth;
    private final float alpha;
    private final float beta;
    private final int rows;

    Variant(int threads, Compute compute, boolean packed, boolean sealed) {
      this(threads, compute, packed, sealed, 1100, -1.5f, 0.5f);
    }

    Variant(
        int threads,
        Compute compute,
        boolean packed,
        boolean sealed,
        int depth,
        float alpha,
        float beta) {
      this(threads, compute, packed, sealed, depth, alpha, beta, 53);
    }

    Variant(
        int threads,
        Compute compute,
        boolean packed,
        boolean sealed,
        int depth,
        float alpha,
        float beta,
        int rows) {
      this.threads = threads;
      this.compute = compute;
      this.packed = packed;
      this.sealed = sealed;
      this.depth = depth;
      this.alpha = alpha;
      this.beta = beta;
      this.rows = rows;
    }

    /** Whether A and B are multiplied where they lie, where that is done at all. */
    boolean isDirect() {
      return this == DIRECT || this == DIRECT_INTO_C || this == SHALLOW || isSkinny();
    }

    /** Whether B is read a few rows at a time, where that is done at all. */
    boolean isSkinny() {
      return this == SKINNY || this == PAIR || this == ROW;
    }

    /** Whether columns are checked, where that is done at all. */
    boolean isByColumns() {
      return isDirect() || this == SMALL || this == SMALL_INTO_C;
    }

    /** The variants that differ from all others in this JVM. */
    static Stream<Variant> all() {
      boolean columns = !SessionUnderTest.isDeviceComputing() && SessionUnderTest.isInMachineCode();
      return Stream.of(values()).filter(variant -> columns || !variant.isByColumns());
    }

    /** The moments at which a fault can hit this variant. */
    Set<ProbePoint> points() {
      var points = EnumSet.copyOf(OF_GEMM);
      if (beta == 0) {
        points.removeAll(
            EnumSet.of(ProbePoint.OLD_C_READ, ProbePoint.OLD_C_LAST_USE, ProbePoint.OLD_C_SEAL));
      }
      if (this == SCALAR) {
        points.removeAll(NOT_SCALAR);
      } else if (isByColumns() && packed) {
        points.removeAll(NOT_DIRECT);
        points.add(ProbePoint.PACKED_B_SEAL);
        points.add(ProbePoint.COLUMN_SUMS_READ);
        if (beta == 0 && SessionUnderTest.isInMachineCode()) {
          points.remove(ProbePoint.TILE_WRITTEN);
        }
      } else if (isDirect()) {
        points.removeAll(NOT_DIRECT);
        points.addAll(OF_DIRECT);
        if (beta == 0 && SessionUnderTest.isInMachineCode()) {
          points.removeAll(NOT_MASKED);
        }
        if (isSkinny()) {
          points.add(ProbePoint.PARTIAL_SUM_READ);
        }
      } else if (SessionUnderTest.isDeviceComputing()) {
        points.removeAll(NOT_DEVICE);
        points.addAll(OF_DEVICE);
        if (SessionUnderTest.isEvidenceOfDevice()) {
          points.removeAll(NOT_EVIDENCE);
          points.addAll(OF_EVIDENCE);
        }
        if (packed) {
          // Uploaded once, by the first product.
          points.remove(ProbePoint.DEVICE_PANELS_UPLOAD);
          points.remove(ProbePoint.PACKED_B_READ);
        }
      }
      return points;
    }
  }

  /** What is multiplied, and what comes of it; made once per JVM. */
  @SuppressWarnings("ArrayRecordComponent") // a bundle of operands; nobody compares or prints it
  private record Operands(float[] a, float[] b, float[] old, float[] expected) {
    static Operands of(Variant variant) {
      var random = new SplittableRandom(99);
      int k = variant.depth;
      int m = variant.rows;
      float[] a = Operand.gaussian(random, m * k);
      float[] b = Operand.gaussian(random, k * N);
      float[] old = Operand.gaussian(random, m * N);
      float[] expected = Chain.multiply(variant.alpha, a, b, variant.beta, old, m, N, k);
      return new Operands(a, b, old, expected);
    }
  }

  private static final Map<Variant, Operands> OPERANDS = new ConcurrentHashMap<>();

  /** What came of one product. */
  record Outcome(Status status, Status verified, boolean bitsRightAtOnce, boolean bitsRight) {}

  private final Variant variant;
  private final SessionUnderTest under;
  private final Arena arena = Arena.ofShared();
  private final Operands operands;
  private PackedMatrix weights;
  private MemorySegment panels = MemorySegment.NULL;
  private MemorySegment records = MemorySegment.NULL;
  private long[] panelSeals = {};
  private long[] panelDigests = {};
  private long[] recordSeals = {};

  FaultyGemm(Variant variant, Protection protection) {
    this.variant = variant;
    under = SessionUnderTest.kept(variant.threads, protection, variant.compute);
    operands = OPERANDS.computeIfAbsent(variant, Operands::of);
    repack();
  }

  SessionUnderTest under() {
    return under;
  }

  /** Packs the weights anew, for protections that leave them damaged. */
  void repack() {
    weights = under.session().pack(arena, Tensor.wrap(operands.b, variant.depth, N).transposed());
    PackedB packed = weights.transposed().asRightOperand();
    panels = arena.allocate(packed.panels().byteSize()).copyFrom(packed.panels());
    records = arena.allocate(packed.records().byteSize()).copyFrom(packed.records());
    panelSeals = packed.panelSeals().clone();
    panelDigests = packed.panelDigests().clone();
    recordSeals = packed.recordSeals().clone();
  }

  private void assertWeightsIntact() {
    PackedB packed = weights.transposed().asRightOperand();
    assertThat(packed.panels().mismatch(panels)).as("byte of the panels").isEqualTo(-1);
    assertThat(packed.records().mismatch(records)).as("byte of the records").isEqualTo(-1);
    assertThat(packed.panelSeals()).as("seals of the panels").isEqualTo(panelSeals);
    assertThat(packed.panelDigests()).as("digests of the panels").isEqualTo(panelDigests);
    assertThat(packed.recordSeals()).as("seals of the records").isEqualTo(recordSeals);
  }

  /** Computes while a hook listens; then has the next reader of C look at it. */
  Outcome run(Probe.Hook hook) {
    under.reports().clear();
    var session = under.session();
    try (var call = Arena.ofShared()) {
      var a = Tensor.of(call, operands.a, variant.rows, variant.depth);
      var b = Tensor.of(call, operands.b, variant.depth, N);
      var c = Tensor.of(call, operands.old, variant.rows, N);
      if (variant.sealed) {
        session.seal(a);
        session.seal(c);
      }
      if (variant.isDirect()) {
        session.seal(b);
      }
      Status status;
      try (var _ = ProbeRelay.lend(hook)) {
        status =
            variant.packed
                ? session.gemm(variant.alpha, a, weights.transposed(), variant.beta, c)
                : session.gemm(variant.alpha, a, b, variant.beta, c);
      }
      boolean atOnce = ReferenceGemm.firstDifference(operands.expected, c.toArray()) < 0;
      var verified = session.verify(c);
      boolean later = ReferenceGemm.firstDifference(operands.expected, c.toArray()) < 0;
      if (session.protection() == Protection.CORRECT) {
        assertWeightsIntact();
        if (variant.sealed) {
          session.verify(a); // what happened after its last use is for its next reader to find
        }
        if (variant.isDirect()) {
          session.verify(b);
        }
        assertThat(Operand.elements(a)).as("A afterwards").isEqualTo(operands.a);
        assertThat(Operand.elements(b)).as("B afterwards").isEqualTo(operands.b);
        assertThat(session.verify(c)).as("C, verified once more").isEqualTo(Status.CLEAN);
        assertThat(session.verify(a)).as("A, verified").isEqualTo(Status.CLEAN);
      }
      return new Outcome(status, verified, atOnce, later);
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
