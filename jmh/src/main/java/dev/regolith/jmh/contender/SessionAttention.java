package dev.regolith.jmh.contender;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;

/** An attention over keys and values in plain tensors. */
final class SessionAttention extends SessionOperands {
  private final AttentionShape shape;
  private final AttentionOptions options;
  private final Tensor q;
  private final Tensor[] k;
  private final Tensor[] v;

  SessionAttention(Session session, Row row, AttentionProblem problem, Arena arena) {
    super(session, arena, ColdWeights.copies(row));
    shape = row.attention();
    options = shape.causal() ? AttentionOptions.defaults().causal() : AttentionOptions.defaults();
    q = sealed(problem.q(), shape.batch(), shape.heads(), shape.queries(), shape.headSize());
    k = new Tensor[ColdWeights.copies(row)];
    v = new Tensor[k.length];
    for (int i = 0; i < k.length; i++) {
      k[i] = sealed(problem.k(), shape.batch(), shape.kvHeads(), shape.keys(), shape.headSize());
      v[i] = sealed(problem.v(), shape.batch(), shape.kvHeads(), shape.keys(), shape.headSize());
    }
  }

  @Override
  Tensor newOutput() {
    return Tensor.zeros(
        arena, DType.FLOAT32, shape.batch(), shape.heads(), shape.queries(), shape.headSize());
  }

  @Override
  Status compute(Tensor output) {
    return session.attention(q, k[current()], v[current()], output, options);
  }
}
