package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.guard.PageGuard;
import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** Scaled dot-product attention: argument checks, and calls in flight. Thread-safe. */
public final class Attention implements AutoCloseable {
  private final Execution execution;
  private final Calls<AttentionCall> calls;
  private final Calls<HalfCall> halfCalls;
  private final Calls<HalfCall> halfAppends;
  private final Calls<CacheAppend> appends;

  /** The operator of a session. */
  public Attention(Execution execution) {
    this.execution = execution;
    calls = new Calls<>(() -> new AttentionCall(execution));
    halfCalls = new Calls<>(() -> new HalfCall(AttentionCall.OPERATOR, execution));
    halfAppends = new Calls<>(() -> new HalfCall(CacheAppend.OPERATOR, execution));
    appends = new Calls<>(() -> new CacheAppend(execution));
  }

  /** {@code out = softmax(scale Q K^T) V}. */
  public Status attend(Tensor q, Tensor k, Tensor v, Tensor out, AttentionOptions options) {
    AttentionArguments.check(q, k, v, out, options);
    return attend(q, k, v, null, out, options);
  }

  /** The same over cached keys and values, a sequence each. */
  public Status attend(Tensor q, KeyValuePages[] cached, Tensor out, AttentionOptions options) {
    AttentionArguments.check(q, cached, out, options);
    for (KeyValuePages sequence : cached) {
      requireFitting(sequence);
    }
    return attend(q, null, null, cached, out, options);
  }

  private Status attend(
      Tensor q,
      @Nullable Tensor k,
      @Nullable Tensor v,
      KeyValuePages @Nullable [] cached,
      Tensor out,
      AttentionOptions options) {
    if (out.elements() == 0 && options.logSumExp() == null) {
      return Status.CLEAN;
    }
    AttentionCall call = calls.take();
    try {
      boolean halves =
          HalfCall.isHalf(q) || HalfCall.isHalf(k) || HalfCall.isHalf(v) || HalfCall.isHalf(out);
      Status status =
          halves
              ? attendHalves(call, q, k, v, cached, out, options)
              : call.run(q, k, v, cached, out, options);
      return execution.conclude(AttentionCall.OPERATOR, status, call.evidenceLevel());
    } finally {
      calls.giveBack(call);
    }
  }

  private Status attendHalves(
      AttentionCall call,
      Tensor q,
      @Nullable Tensor k,
      @Nullable Tensor v,
      KeyValuePages @Nullable [] cached,
      Tensor out,
      AttentionOptions options) {
    HalfCall halves = halfCalls.take();
    try {
      Tensor wideQ = halves.operand(q);
      Tensor wideK = halves.operandIfAny(k);
      Tensor wideV = halves.operandIfAny(v);
      Tensor wideOut = halves.result(out);
      halves.widen();
      return halves.deliver(call.run(wideQ, wideK, wideV, cached, wideOut, options));
    } catch (UncorrectableFaultException e) {
      throw halves.lost(e);
    } finally {
      halfCalls.giveBack(halves);
    }
  }

  /** Empty pages for a sequence. */
  public KeyValuePages pages(int heads, int depth, int columns) {
    var damage = new PageGuard(execution.log());
    return new KeyValuePages(heads, depth, columns, execution.backend().panelColumns(), damage);
  }

  /** Appends keys and values {@code [1, heads, keys, d]}, or side by side. */
  public Status append(KeyValuePages pages, Tensor k, Tensor v) {
    AttentionArguments.checkAppend(pages, k, v);
    requireFitting(pages);
    CacheAppend append = appends.take();
    HalfCall halves = halfAppends.take();
    try {
      Tensor wideK = halves.operand(k);
      Tensor wideV = halves.operand(v);
      halves.widen();
      return halves.deliver(append.run(pages, wideK, wideV, k.rank() == 3 ? pages.heads() : 0));
    } finally {
      halfAppends.giveBack(halves);
      appends.giveBack(append);
    }
  }

  private void requireFitting(KeyValuePages pages) {
    if (pages.panelColumns() != execution.backend().panelColumns()) {
      throw new IllegalArgumentException(
          "the cache was made by a session that computes differently (%d columns a panel); use that"
                  .formatted(pages.panelColumns())
              + " one");
    }
  }

  /** Frees the buffers; no call may be in flight. */
  @Override
  public void close() {
    calls.close();
    halfCalls.close();
    halfAppends.close();
    appends.close();
  }
}
