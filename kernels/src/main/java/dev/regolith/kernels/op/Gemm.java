package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/** Matrix multiplication: argument checks, and calls in flight. Thread-safe. */
public final class Gemm implements AutoCloseable {
  private final Execution execution;
  private final Calls<GemmCall> calls;
  private final Calls<HalfCall> halfCalls;
  private final WeightPacker packer;

  /** The operator of a session. */
  public Gemm(Execution execution) {
    this.execution = execution;
    calls = new Calls<>(() -> new GemmCall(execution));
    halfCalls = new Calls<>(() -> new HalfCall(GemmCall.OPERATOR, execution));
    packer = new WeightPacker(execution);
  }

  /** {@code C = alpha A B + beta C}. */
  public Status multiply(float alpha, Tensor a, Tensor b, float beta, Tensor c) {
    GemmArguments.check(a, b, c);
    return multiply(alpha, a, b, null, beta, c);
  }

  /** {@code C = alpha A B + beta C} with a packed B. */
  public Status multiply(float alpha, Tensor a, PackedB b, float beta, Tensor c) {
    GemmArguments.check(a, b.depth(), b.columns(), c);
    requireFitting(b);
    return multiply(alpha, a, null, b, beta, c);
  }

  private Status multiply(
      float alpha, Tensor a, @Nullable Tensor b, @Nullable PackedB packed, float beta, Tensor c) {
    if (c.elements() == 0) {
      return Status.CLEAN;
    }
    GemmCall call = calls.take();
    try {
      boolean halves = HalfCall.isHalf(a) || HalfCall.isHalf(b) || HalfCall.isHalf(c);
      Status status =
          halves
              ? multiplyHalves(call, alpha, a, b, packed, beta, c)
              : call.run(alpha, a, b, packed, beta, c);
      return execution.conclude(GemmCall.OPERATOR, status, call.evidenceLevel());
    } finally {
      calls.giveBack(call);
    }
  }

  private Status multiplyHalves(
      GemmCall call,
      float alpha,
      Tensor a,
      @Nullable Tensor b,
      @Nullable PackedB packed,
      float beta,
      Tensor c) {
    HalfCall halves = halfCalls.take();
    try {
      Tensor wideA = halves.lend(a, alpha != 0, false);
      Tensor wideB = b == null ? null : halves.lend(b, alpha != 0, false);
      Tensor wideC = halves.lend(c, beta != 0, true);
      halves.widen();
      return halves.deliver(call.run(alpha, wideA, wideB, packed, beta, wideC));
    } catch (UncorrectableFaultException e) {
      throw halves.lost(e);
    } finally {
      halfCalls.giveBack(halves);
    }
  }

  private void requireFitting(PackedB b) {
    if (!b.panels().scope().isAlive()) {
      throw new IllegalStateException(
          "the packed matrix is gone: the session or arena it was packed into is closed");
    }
    if (!b.panels().isAccessibleBy(Thread.currentThread())) {
      throw new IllegalStateException(
          "the packed matrix lies in an arena that is confined to another thread; use"
              + " Arena.ofShared()");
    }
    boolean checkable = b.isCheckable() || execution.protection() == Protection.OFF;
    if (!checkable || b.panelColumns() != execution.backend().panelColumns()) {
      throw new IllegalArgumentException(
          "the matrix was packed by a session that computes or protects differently"
              + " (%d columns a panel, %s check vectors); pack it with this session"
                  .formatted(b.panelColumns(), b.isCheckable() ? "with" : "without"));
    }
  }

  /** Packs a {@code [N, K]} matrix for use as {@code B = matrix^T}. */
  public PackedB pack(Arena arena, Tensor weights) {
    return packer.pack(arena, weights);
  }

  /** Verifies packed weights, and puts back what changed. */
  public Status verify(PackedB b) {
    requireFitting(b);
    return b.isCheckable() ? execution.scrubber().scrub("verify", b) : Status.CLEAN;
  }

  /** Frees the buffers; no call may be in flight. */
  @Override
  public void close() {
    calls.close();
    halfCalls.close();
  }
}
