package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What engines compute between products, row by row: softmax, norms, rotary positions, activations,
 * sums. Thread-safe.
 */
public final class RowOperators implements AutoCloseable {
  private final Execution execution;
  private final Calls<RowCall> calls;
  private final Calls<HalfCall> halfCalls;

  /** The operators of a session. */
  public RowOperators(Execution execution) {
    this.execution = execution;
    calls = new Calls<>(() -> new RowCall(execution));
    halfCalls = new Calls<>(() -> new HalfCall("rows", execution));
  }

  /** {@code out = exp(scale x) / sum(exp(scale x))}. */
  public Status softmax(float scale, Tensor x, Tensor out) {
    RowCall call = calls.take();
    RowOperands o = call.operands;
    o.scalar = scale;
    return run(call, RowOperator.SOFTMAX, x, null, out);
  }

  /** A norm with weights and biases, perhaps of a sum that is written as well. */
  public Status norm(
      boolean centred,
      Tensor x,
      @Nullable Tensor residual,
      Tensor weight,
      @Nullable Tensor bias,
      float epsilon,
      @Nullable Tensor sum,
      Tensor out) {
    RowCall call = calls.take();
    RowOperands o = call.operands;
    o.scalar = epsilon;
    o.weight = weight;
    o.bias = bias;
    o.sum = sum;
    return run(call, centred ? RowOperator.LAYER_NORM : RowOperator.RMS_NORM, x, residual, out);
  }

  /** Rotates pairs by the angles of their row's position. */
  public Status rope(
      boolean interleaved,
      Tensor x,
      Tensor cos,
      Tensor sin,
      long first,
      boolean headsWithin,
      Tensor out) {
    RowCall call = calls.take();
    RowOperands o = call.operands;
    o.weight = cos;
    o.bias = sin;
    o.first = first;
    o.sequence = headsWithin ? -3 : -2;
    var operator = interleaved ? RowOperator.ROPE_INTERLEAVED : RowOperator.ROPE_HALVES;
    return run(call, operator, x, null, out);
  }

  /** An operator of one or two tensors and nothing else. */
  public Status map(RowOperator operator, Tensor x, @Nullable Tensor y, Tensor out) {
    return run(calls.take(), operator, x, y, out);
  }

  private Status run(RowCall call, RowOperator operator, Tensor x, @Nullable Tensor y, Tensor out) {
    RowOperands o = call.operands;
    o.operator = operator;
    o.x = x;
    o.y = y;
    o.out = out;
    try {
      RowArguments.check(o);
      if (out.elements() == 0) {
        return Status.CLEAN;
      }
      Status status = o.hasHalves() ? runHalves(call) : call.run();
      return execution.conclude(operator.title(), status, call.evidenceLevel());
    } finally {
      o.clear();
      calls.giveBack(call);
    }
  }

  private Status runHalves(RowCall call) {
    RowOperands o = call.operands;
    HalfCall halves = halfCalls.take();
    try {
      o.x = halves.operandIfAny(o.x);
      o.y = halves.operandIfAny(o.y);
      o.weight = halves.operandIfAny(o.weight);
      o.bias = halves.operandIfAny(o.bias);
      o.sum = halves.resultIfAny(o.sum);
      o.out = halves.resultIfAny(o.out);
      halves.widen();
      return halves.deliver(call.run());
    } catch (UncorrectableFaultException e) {
      throw halves.lost(e);
    } finally {
      halfCalls.giveBack(halves);
    }
  }

  /** Frees the buffers; no call may be in flight. */
  @Override
  public void close() {
    calls.close();
    halfCalls.close();
  }
}
