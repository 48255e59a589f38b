package dev.regolith.jmh.contender;

import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.kernels.PackedMatrix;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/** A product, with weights packed by the session if the row says so. */
final class SessionProduct extends SessionOperands {
  private final Shape shape;
  private final Tensor a;
  private final @Nullable Tensor b;
  private final PackedMatrix[] weights;

  SessionProduct(Session session, Row row, Problem problem, Arena arena) {
    super(session, arena, ColdWeights.copies(row));
    shape = row.shape();
    a = sealed(problem.a(), sizes(shape.m(), shape.k()));
    if (row.operands() == Operands.FRESH) {
      b = sealed(problem.b(), sizes(shape.k(), shape.n()));
      weights = new PackedMatrix[0];
    } else {
      b = null;
      weights = new PackedMatrix[ColdWeights.copies(row)];
      Tensor source = Tensor.wrap(problem.b(), DType.FLOAT32, shape.k(), shape.n());
      for (int i = 0; i < weights.length; i++) {
        weights[i] = session.pack(arena, source.transposed()).transposed();
      }
    }
  }

  private long[] sizes(long rows, long columns) {
    return shape.batch() == 1
        ? new long[] {rows, columns}
        : new long[] {shape.batch(), rows, columns};
  }

  @Override
  Tensor newOutput() {
    return Tensor.zeros(arena, DType.FLOAT32, sizes(shape.m(), shape.n()));
  }

  @Override
  Status compute(Tensor c) {
    return b == null ? session.gemm(a, weights[current()], c) : session.gemm(a, b, c);
  }
}
