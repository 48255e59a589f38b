package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.kernels.Activation;
import dev.regolith.kernels.Rotary;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An operator of rows in memory: operands, seals, results. */
final class RowsSetup implements Setup {
  /** Buffers that outlive a call: damage that stays in them would be latent. */
  private static final Set<ProbePoint> PERSISTENT =
      EnumSet.of(ProbePoint.ROW_INPUT_READ, ProbePoint.ROW_INPUT_SEAL, ProbePoint.HALVES_READ);

  private final RowsWorkload workload;
  private final Session session;
  private final boolean sealed;

  /** Whether operands are sent to a device ahead, which leaves the results there. */
  private final boolean resident;

  private final Operands operands;

  /** Where operands lie; empty if they may leave. */
  private final Set<Long> places = new HashSet<>();

  private final List<Tensor> first;
  private final List<Tensor> second;

  /** Operands of another call of the same shape, and its results. */
  private final @Nullable Operands predecessor;

  private final List<Tensor> before;

  /**
   * Operands that are no results.
   *
   * @param x null if the result takes its place; so with y, if it is the sum that does
   * @param y null also if there is none, like the others
   */
  private record Operands(
      @Nullable Tensor x, @Nullable Tensor y, @Nullable Tensor weight, @Nullable Tensor bias) {
    List<Tensor> all() {
      var all = new ArrayList<Tensor>();
      for (Tensor tensor : new Tensor[] {x, y, weight, bias}) {
        if (tensor != null) {
          all.add(tensor);
        }
      }
      return all;
    }
  }

  RowsSetup(RowsWorkload workload, Arm arm, Session session, Arena arena, Computing computing) {
    this.workload = workload;
    this.session = session;
    sealed = arm == Arm.CORRECT && workload.sealed();
    resident = computing.onDevice() && workload.isPlain();
    operands = operands(arena);
    first = outputs(arena);
    second = outputs(arena);
    predecessor = computing.onDevice() ? operands(arena) : null;
    before = computing.onDevice() ? outputs(arena) : List.of();
    write();
    if (sealed) {
      operands.all().forEach(session::seal);
    }
    if (!resident) {
      operands.all().forEach(operand -> places.add(operand.segment().address()));
    }
  }

  private Operands operands(Arena arena) {
    boolean sumInPlace = workload.inPlace() && workload.operator().writesSum();
    boolean resultInPlace = workload.inPlace() && !sumInPlace;
    return new Operands(
        resultInPlace ? null : tensor(arena),
        workload.y().length == 0 || sumInPlace ? null : tensor(arena),
        parameters(arena, workload.weight()),
        parameters(arena, workload.bias()));
  }

  /** Rows: operands or results. */
  private Tensor tensor(Arena arena) {
    long rows = workload.rows();
    long columns = workload.columns();
    if (workload.operator() == RowsWorkload.Operator.ROPE_OF_HEADS) {
      return Tensor.zeros(arena, workload.type(), rows, workload.heads(), columns);
    }
    return workload.strided()
        ? Tensor.zeros(arena, workload.type(), columns, rows).transposed()
        : Tensor.zeros(arena, workload.type(), rows, columns);
  }

  private @Nullable Tensor parameters(Arena arena, float[] values) {
    if (values.length == 0) {
      return null;
    }
    int pairs = workload.pairs();
    return workload.operator().isRope()
        ? Tensor.zeros(arena, workload.type(), values.length / pairs, pairs)
        : Tensor.zeros(arena, workload.type(), values.length);
  }

  private List<Tensor> outputs(Arena arena) {
    Tensor result = tensor(arena);
    List<Tensor> outputs =
        workload.operator().writesSum() ? List.of(result, tensor(arena)) : List.of(result);
    if (!resident) {
      outputs.forEach(output -> {
        session.seal(output);
        var _ = output.segment(); // its owner has one
      });
    }
    return outputs;
  }

  @Override
  public List<Tensor> first() {
    return first;
  }

  @Override
  public List<Tensor> second() {
    return second;
  }

  // ------------------------------------------------------------------------------------- values

  private void write() {
    write(operands.x, workload.x());
    write(operands.y, workload.y());
    write(operands.weight, workload.weight());
    write(operands.bias, workload.bias());
  }

  /** Writes in a way after which a tensor may stay with a device; what is sealed stays so. */
  private void write(@Nullable Tensor tensor, float[] values) {
    if (tensor == null) {
      return;
    }
    long columns = tensor.size(-1);
    boolean strided = workload.strided() && tensor.rank() == 2;
    try (var edit = session.edit(tensor)) {
      MemorySegment memory = edit.segment();
      for (int at = 0; at < values.length; at++) {
        long element = strided ? at / columns + at % columns * tensor.stride(1) : at;
        if (tensor.dtype().isHalf()) {
          memory.setAtIndex(ValueLayout.JAVA_SHORT, element, tensor.dtype().round(values[at]));
        } else {
          memory.setAtIndex(ValueLayout.JAVA_FLOAT, element, values[at]);
        }
      }
    }
  }

  private void fill(Tensor tensor) {
    var values = new float[Math.toIntExact(tensor.elements())];
    Arrays.fill(values, Float.NaN);
    write(tensor, values);
  }

  @Override
  public void open(List<Tensor> outputs) {
    forget(operands);
    open(outputs, workload.x(), workload.y());
  }

  /** NaN, so that a store that does not happen shows; or what the result takes the place of. */
  private void open(List<Tensor> outputs, float[] x, float[] y) {
    boolean sums = workload.operator().writesSum();
    for (Tensor output : outputs) {
      boolean last = output == outputs.getLast();
      if (workload.inPlace() && last) {
        write(output, sums ? y : x);
        if (sealed && !output.isSealed()) {
          session.seal(output);
        }
        if (!sealed && output.isSealed()) {
          session.unseal(output);
        }
      } else {
        fill(output);
      }
    }
  }

  /** Has a device give up its copies of operands. */
  private void forget(Operands all) {
    if (resident) {
      all.all().forEach(tensor -> session.edit(tensor).close());
    }
  }

  // -------------------------------------------------------------------------------------- calls

  @Override
  public void precede() {
    Operands others = predecessor;
    if (others == null) {
      return;
    }
    write(others.x, Setup.other(workload.x()));
    write(others.y, Setup.other(workload.y()));
    write(others.weight, Setup.other(workload.weight()));
    write(others.bias, Setup.other(workload.bias()));
    open(before, Setup.other(workload.x()), Setup.other(workload.y()));
    var _ = compute(others, before);
    forget(others);
    open(before, Setup.other(workload.x()), Setup.other(workload.y()));
  }

  @Override
  public Status compute(List<Tensor> outputs) {
    return compute(operands, outputs);
  }

  private Status compute(Operands all, List<Tensor> outputs) {
    Tensor out = outputs.getFirst();
    Tensor sum = outputs.getLast();
    Tensor x = all.x == null ? out : all.x;
    if (!resident) {
      return call(all, x, sum, out);
    }
    boolean wasSealed = x.isSealed();
    session.upload(x);
    if (!wasSealed) {
      session.unseal(x); // what this workload does not seal stays without a seal
    }
    Status worst = call(all, x, sum, out);
    for (Tensor output : outputs) {
      Status arrived = session.verify(output); // has it come back
      worst = worst.worse(arrived);
    }
    return worst;
  }

  private Status call(Operands all, Tensor x, Tensor sum, Tensor out) {
    RowsWorkload w = workload;
    boolean sumInPlace = w.inPlace() && w.operator().writesSum();
    Tensor y = sumInPlace ? sum : all.y;
    return switch (w.operator()) {
      case SOFTMAX -> session.softmax(w.scalar(), x, out);
      case RMS_NORM -> session.rmsNorm(x, weight(all), w.scalar(), out);
      case RMS_NORM_OF_SUM ->
          session.rmsNorm(x, Objects.requireNonNull(y), weight(all), w.scalar(), sum, out);
      case LAYER_NORM -> session.layerNorm(x, weight(all), all.bias, w.scalar(), out);
      case LAYER_NORM_OF_SUM ->
          session.layerNorm(
              x, Objects.requireNonNull(y), weight(all), all.bias, w.scalar(), sum, out);
      case ROPE_INTERLEAVED ->
          session.rope(x, tables(all, Rotary.Convention.INTERLEAVED), RowsWorkload.FIRST, out);
      case ROPE_HALVES ->
          session.rope(x, tables(all, Rotary.Convention.HALVES), RowsWorkload.FIRST, out);
      case ROPE_OF_HEADS ->
          session.ropeOfHeads(x, tables(all, Rotary.Convention.HALVES), RowsWorkload.FIRST, out);
      case SILU -> activate(Activation.SILU, x, y, out);
      case GELU -> activate(Activation.GELU, x, y, out);
      case GELU_TANH -> activate(Activation.GELU_TANH, x, y, out);
      case ADD -> session.add(x, Objects.requireNonNull(y), out);
    };
  }

  private Status activate(Activation f, Tensor x, @Nullable Tensor y, Tensor out) {
    return y == null ? session.activate(f, x, out) : session.activate(f, x, y, out);
  }

  private static Tensor weight(Operands all) {
    return Objects.requireNonNull(all.weight);
  }

  private static Rotary tables(Operands all, Rotary.Convention convention) {
    return new Rotary(convention, weight(all), Objects.requireNonNull(all.bias));
  }

  // ---------------------------------------------------------------------------------- after it

  @Override
  public boolean outlivesCall(Occurrence occurrence) {
    ProbePoint point = occurrence.point();
    if (!workload.sealed() || !PERSISTENT.contains(point)) {
      return false;
    }
    // What is read from a copy has seals that end with the call.
    return point == ProbePoint.ROW_INPUT_SEAL
        ? workload.isPlain() && !workload.inPlace()
        : occurrence.memory().isNative() && places.contains(occurrence.memory().address());
  }

  @Override
  public void restoreInputs() {
    if (!sealed) {
      write();
    }
  }
}
