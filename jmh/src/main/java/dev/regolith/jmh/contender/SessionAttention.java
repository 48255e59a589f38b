package dev.regolith.jmh.contender;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.kernels.KeyValueCache;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** An attention over keys and values in plain tensors, or in caches, packed ahead. */
final class SessionAttention extends SessionOperands {
  private final AttentionShape shape;
  private final boolean cached;
  private final AttentionOptions options;
  private final Tensor q;
  private final List<Tensor> k = new ArrayList<>();
  private final List<Tensor> v = new ArrayList<>();

  /** In place of these, a cache for every sequence; the session frees them. */
  private final List<List<KeyValueCache>> caches = new ArrayList<>();

  SessionAttention(Session session, Row row, AttentionProblem problem, Arena arena) {
    super(session, arena, ColdWeights.copies(row));
    shape = row.attention();
    cached = row.operands() == Operands.PACKED;
    options = shape.causal() ? AttentionOptions.defaults().causal() : AttentionOptions.defaults();
    q = sealed(problem.q(), shape.batch(), shape.heads(), shape.queries(), shape.headSize());
    for (int i = 0; i < ColdWeights.copies(row); i++) {
      Tensor keys =
          sealed(problem.k(), shape.batch(), shape.kvHeads(), shape.keys(), shape.headSize());
      Tensor values =
          sealed(problem.v(), shape.batch(), shape.kvHeads(), shape.keys(), shape.headSize());
      if (cached) {
        caches.add(cache(keys, values));
      } else {
        k.add(keys);
        v.add(values);
      }
    }
  }

  private List<KeyValueCache> cache(Tensor keys, Tensor values) {
    var sequences = new ArrayList<KeyValueCache>();
    for (int b = 0; b < shape.batch(); b++) {
      var cache = session.cache(shape.kvHeads(), shape.headSize(), shape.headSize());
      session.append(cache, keys.slice(0, b, b + 1), values.slice(0, b, b + 1));
      sequences.add(cache);
    }
    return sequences;
  }

  @Override
  Tensor newOutput() {
    return Tensor.zeros(
        arena, DType.FLOAT32, shape.batch(), shape.heads(), shape.queries(), shape.headSize());
  }

  @Override
  Status compute(Tensor output) {
    return cached
        ? session.attention(q, caches.get(current()), output, options)
        : session.attention(q, k.get(current()), v.get(current()), output, options);
  }
}
