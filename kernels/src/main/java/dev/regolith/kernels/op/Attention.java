package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;

/** Scaled dot-product attention: argument checks, and calls in flight. Thread-safe. */
public final class Attention implements AutoCloseable {
  private final Calls<AttentionCall> calls;

  /** The operator of a session. */
  public Attention(Execution execution) {
    calls = new Calls<>(() -> new AttentionCall(execution));
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

  /** Frees the buffers; no call may be in flight. */
  @Override
  public void close() {
    calls.close();
  }
}
