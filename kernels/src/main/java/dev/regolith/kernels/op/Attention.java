package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.PageGuard;
import dev.regolith.kernels.tensor.Tensor;

/** Scaled dot-product attention: argument checks, and calls in flight. Thread-safe. */
public final class Attention implements AutoCloseable {
  private final Execution execution;
  private final Calls<AttentionCall> calls;
  private final Calls<CacheAppend> appends;

  /** The operator of a session. */
  public Attention(Execution execution) {
    this.execution = execution;
    calls = new Calls<>(() -> new AttentionCall(execution));
    appends = new Calls<>(() -> new CacheAppend(execution));
  }

  /** {@code out = softmax(scale Q K^T) V}. */
  public Status attend(Tensor q, Tensor k, Tensor v, Tensor out, AttentionOptions options) {
    AttentionArguments.check(q, k, v, out, options);
    AttentionCall call = calls.take();
    try {
      return call.run(q, k, v, out, options);
    } finally {
      calls.giveBack(call);
    }
  }

  /** The same over cached keys and values, a sequence each. */
  public Status attend(Tensor q, KeyValuePages[] cached, Tensor out, AttentionOptions options) {
    AttentionArguments.check(q, cached, out, options);
    for (KeyValuePages sequence : cached) {
      requireFitting(sequence);
    }
    AttentionCall call = calls.take();
    try {
      return call.run(q, cached, out, options);
    } finally {
      calls.giveBack(call);
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
    try {
      return append.run(pages, k, v, k.rank() == 3 ? pages.heads() : 0);
    } finally {
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
    appends.close();
  }
}
