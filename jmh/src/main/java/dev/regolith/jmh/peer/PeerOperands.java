package dev.regolith.jmh.peer;

import dev.regolith.jmh.contender.ColdWeights;
import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** A peer's own memory for a row: A, B in as many copies as the row asks for, and C. */
final class PeerOperands {
  /** How B lies. */
  enum Order {
    /** {@code [k, n]} */
    PLAIN,
    /** {@code [n, k]}, as layers keep their weights */
    TRANSPOSED
  }

  private final Shape shape;
  private final MemorySegment a;
  private final MemorySegment[] weights;
  private final MemorySegment c;
  private int next;

  PeerOperands(Row row, Problem problem, Order order, Arena arena) {
    shape = row.shape();
    a = copy(arena, problem.a());
    weights = new MemorySegment[ColdWeights.copies(row)];
    weights[0] = order == Order.PLAIN ? copy(arena, problem.b()) : problem.transposedB(arena);
    for (int i = 1; i < weights.length; i++) {
      weights[i] = copy(arena, weights[0]);
    }
    c = Draw.memory(arena, 4L * problem.resultElements());
  }

  private static MemorySegment copy(Arena arena, MemorySegment source) {
    return Draw.memory(arena, source.byteSize()).copyFrom(source);
  }

  /** Replaces the weights, copy by copy, by what a library makes of them. */
  void repack(java.util.function.UnaryOperator<MemorySegment> packer) {
    MemorySegment source = weights[0];
    Arrays.setAll(weights, i -> packer.apply(source));
  }

  long a(int matrix) {
    return a.address() + 4L * matrix * shape.m() * shape.k();
  }

  long b(int matrix) {
    return weights[next].address() + 4L * matrix * shape.k() * shape.n();
  }

  long c(int matrix) {
    return c.address() + 4L * matrix * shape.m() * shape.n();
  }

  /** Goes on to the next copy of the weights. */
  int advance() {
    if (++next >= weights.length) {
      next = 0;
    }
    return next;
  }

  int copies() {
    return weights.length;
  }

  MemorySegment weights(int copy) {
    return weights[copy];
  }

  MemorySegment left() {
    return a;
  }

  MemorySegment output() {
    return c;
  }

  void spoil() {
    c.fill((byte) 0xff);
  }

  float[] result() {
    return c.toArray(ValueLayout.JAVA_FLOAT);
  }
}
