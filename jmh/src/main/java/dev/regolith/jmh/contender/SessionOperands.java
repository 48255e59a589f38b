package dev.regolith.jmh.contender;

import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.kernels.PackedMatrix;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The operands of a row as a default user has them: tensors in off-heap memory that was never
 * handed out, operands sealed, weights packed by the session, an output that the operator seals.
 */
final class SessionOperands {
  private final Session session;
  private final Arena arena;
  private final Shape shape;
  private final Tensor a;
  private final @Nullable Tensor b;
  private final PackedMatrix[] weights;
  private int next;

  SessionOperands(Session session, Row row, Problem problem, Arena arena) {
    this.session = session;
    this.arena = arena;
    shape = row.shape();
    a = sealed(problem.a(), shape.m(), shape.k());
    if (row.operands() == Operands.FRESH) {
      b = sealed(problem.b(), shape.k(), shape.n());
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

  private Tensor sealed(MemorySegment values, long rows, long columns) {
    Tensor tensor = zeros(rows, columns);
    try (var edit = session.edit(tensor)) { // its segment() would end sealing by the library
      edit.segment().copyFrom(values);
    }
    if (session.protection() != Protection.OFF) {
      session.seal(tensor);
    }
    return tensor;
  }

  private Tensor zeros(long rows, long columns) {
    return shape.batch() == 1
        ? Tensor.zeros(arena, DType.FLOAT32, rows, columns)
        : Tensor.zeros(arena, DType.FLOAT32, shape.batch(), rows, columns);
  }

  /** A tensor for the result. */
  Tensor newOutput() {
    return zeros(shape.m(), shape.n());
  }

  /** Goes on to the next copy of the weights. */
  void advance() {
    if (++next >= weights.length) {
      next = 0;
    }
  }

  /** The product. */
  Status multiply(Tensor c) {
    return b == null ? session.gemm(a, weights[next], c) : session.gemm(a, b, c);
  }

  /** Overwrites a result with NaN, without taking its memory from the library. */
  void spoil(Tensor c) {
    try (var edit = session.edit(c)) {
      edit.segment().fill((byte) 0xff);
    }
  }
}
