package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.kernels.PackedMatrix;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A product in memory: operands, packed weights, seals. */
final class GemmSetup implements Setup {
  /** Buffers that outlive a call: damage that stays in them would be latent. */
  private static final Set<ProbePoint> PERSISTENT =
      EnumSet.of(
          ProbePoint.A_READ,
          ProbePoint.A_SEAL,
          ProbePoint.HALVES_READ,
          ProbePoint.B_READ,
          ProbePoint.PACKED_B_READ,
          ProbePoint.PACKED_B_SEAL,
          ProbePoint.PACKED_B_DIGEST,
          ProbePoint.CHECK_VECTORS_READ,
          ProbePoint.CHECK_VECTORS_SEAL);

  private final GemmWorkload workload;
  private final Session session;
  private final boolean verifies;
  private final boolean resident;
  private final Tensor a;
  private final @Nullable Tensor b;
  private final @Nullable Tensor weights;
  private @Nullable PackedMatrix packed;

  /** Where weights are that are packed anew after every run; null if they are packed once. */
  private @Nullable Arena ofRun;

  private final Tensor c;
  private final Tensor second;
  private final @Nullable Predecessor predecessor;

  /** The operands of another product of the same shape. */
  @SuppressWarnings("ArrayRecordComponent") // a bundle of operands; nobody compares or prints it
  private record Predecessor(Tensor a, @Nullable Tensor b, Tensor c, float[] old) {}

  GemmSetup(GemmWorkload workload, Arm arm, Session session, Arena arena, Computing computing) {
    this.workload = workload;
    this.session = session;
    verifies = arm == Arm.CORRECT;
    boolean onDevice = computing.onDevice();
    boolean leaves = !workload.strided() && !workload.type().isHalf();
    resident = computing == Computing.RESIDENT && leaves;
    a = matrix(arena, workload.m(), workload.k());
    writeLeft(a, workload.a());
    Tensor right =
        Tensor.of(arena, workload.type(), workload.weights(), workload.n(), workload.k());
    weights = workload.packed() ? right : null;
    b = workload.packed() ? null : workload.direct() ? rowMajor(arena) : right.transposed();
    ofRun = onDevice && !verifies ? Arena.ofShared() : null;
    pack(ofRun == null ? arena : ofRun);
    if (verifies && workload.sealed()) {
      session.seal(a);
      if (b != null && (workload.direct() || workload.type().isHalf())) {
        session.seal(b);
      }
    }
    c = output(arena);
    second = output(arena);
    predecessor = onDevice ? predecessor(arena) : null;
  }

  /** The right operand with rows along n. */
  private Tensor rowMajor(Arena arena) {
    Tensor tensor = Tensor.zeros(arena, workload.type(), workload.k(), workload.n());
    write(tensor.transposed(), workload.weights());
    return tensor;
  }

  /** An output that may stay with a device; or one that its owner has a segment of. */
  private Tensor output(Arena arena) {
    Tensor output = matrix(arena, workload.m(), workload.n());
    if (!resident) {
      session.seal(output);
      var _ = output.segment();
    }
    return output;
  }

  /** Writes a left operand, in a way after which it may stay with a device, if it may. */
  private void writeLeft(Tensor left, float[] values) {
    if (!resident) {
      write(left, values);
      return;
    }
    try (var edit = session.edit(left)) {
      MemorySegment.copy(values, 0, edit.segment(), ValueLayout.JAVA_FLOAT, 0, values.length);
    }
  }

  /** Sends a left operand to a device; what this workload does not seal stays without a seal. */
  private void upload(Tensor left) {
    session.upload(left);
    if (!workload.sealed()) {
      session.unseal(left);
    }
  }

  /** Has a device give up its copy of a left operand. */
  private void forget(Tensor left) {
    if (resident) {
      session.edit(left).close();
    }
  }

  private Predecessor predecessor(Arena arena) {
    Tensor otherA = matrix(arena, workload.m(), workload.k());
    writeLeft(otherA, Setup.other(workload.a()));
    Tensor otherB =
        workload.packed()
            ? null
            : Tensor.of(
                    arena,
                    workload.type(),
                    Setup.other(workload.weights()),
                    workload.n(),
                    workload.k())
                .transposed();
    Tensor otherC = output(arena);
    return new Predecessor(otherA, otherB, otherC, Setup.other(workload.old()));
  }

  @Override
  public void precede() {
    if (predecessor != null) {
      open(predecessor.c, predecessor.old);
      if (resident) {
        upload(predecessor.a);
      }
      var _ = multiply(predecessor.a, predecessor.b, predecessor.c);
      // What it left with a device is what the next operand and result come to lie on.
      open(predecessor.c, predecessor.old);
      forget(predecessor.a);
    }
  }

  private void pack(Arena target) {
    if (weights != null) {
      packed = session.pack(target, weights).transposed();
    }
  }

  private Tensor matrix(Arena arena, long rows, long columns) {
    return workload.strided()
        ? Tensor.zeros(arena, workload.type(), columns, rows).transposed()
        : Tensor.zeros(arena, workload.type(), rows, columns);
  }

  @Override
  public List<Tensor> first() {
    return List.of(c);
  }

  @Override
  public List<Tensor> second() {
    return List.of(second);
  }

  @Override
  public void open(List<Tensor> outputs) {
    outputs.forEach(output -> open(output, workload.old()));
    forget(a); // the next product sends it anew, the one after finds it there
  }

  @Override
  public Status compute(List<Tensor> outputs) {
    Tensor output = outputs.getFirst();
    if (!resident) {
      return multiply(a, b, output);
    }
    upload(a);
    Status status = multiply(a, b, output);
    Status arrived = session.verify(output); // has it come back
    return status.worse(arrived);
  }

  @Override
  public boolean outlivesCall(Occurrence occurrence) {
    ProbePoint point = occurrence.point();
    boolean lasts = PERSISTENT.contains(point);
    boolean made =
        switch (point) {
          // A strided A, or one of 16 bits, is read from a copy that ends with the call.
          case A_READ, A_SEAL ->
              workload.sealed() && !workload.strided() && !workload.type().isHalf();
          case B_READ -> workload.sealed();
          case HALVES_READ -> workload.sealed() && !isOutput(occurrence);
          default -> workload.packed();
        };
    return lasts && made;
  }

  /** Whether the buffer of a passing is the output's own. */
  private boolean isOutput(Occurrence occurrence) {
    return occurrence.memory().address() == c.segment().address();
  }

  /**
   * Prepares an output: the old values, sealed as their producer would have left them, or NaN, so
   * that a store that does not happen shows.
   */
  private void open(Tensor output, float[] old) {
    boolean blends = workload.beta() != 0;
    try (var edit = session.edit(output)) {
      MemorySegment memory = edit.segment();
      int at = 0;
      for (int i = 0; i < workload.m(); i++) {
        for (int j = 0; j < workload.n(); j++) {
          float value = blends ? old[at++] : Float.NaN;
          put(output.dtype(), memory, i * output.stride(0) + j * output.stride(1), value);
        }
      }
    }
    if (blends && verifies && !output.isSealed()) {
      session.seal(output);
    }
  }

  @Override
  public void restoreInputs() {
    if (ofRun != null) {
      // Nobody puts right what is damaged in the memory of a device: the weights go there anew.
      ofRun.close();
      ofRun = Arena.ofShared();
      pack(ofRun);
    }
    if (!(verifies && workload.sealed())) {
      writeLeft(a, workload.a());
    }
    if (b != null && !b.isSealed()) {
      write(b.transposed(), workload.weights());
    }
  }

  /** Writes a row-major array into a matrix of any layout that is not sealed. */
  private static void write(Tensor tensor, float[] values) {
    MemorySegment memory = tensor.segment();
    long columns = tensor.size(1);
    for (int at = 0; at < values.length; at++) {
      long element = at / columns * tensor.stride(0) + at % columns * tensor.stride(1);
      put(tensor.dtype(), memory, element, values[at]);
    }
  }

  private static void put(DType type, MemorySegment memory, long element, float value) {
    if (type.isHalf()) {
      memory.setAtIndex(ValueLayout.JAVA_SHORT, element, type.round(value));
    } else {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, element, value);
    }
  }

  private Status multiply(Tensor left, @Nullable Tensor right, Tensor output) {
    float alpha = workload.alpha();
    float beta = workload.beta();
    PackedMatrix packedRight = packed;
    if (packedRight != null) {
      return session.gemm(alpha, left, packedRight, beta, output);
    }
    return session.gemm(alpha, left, Objects.requireNonNull(right), beta, output);
  }
}
