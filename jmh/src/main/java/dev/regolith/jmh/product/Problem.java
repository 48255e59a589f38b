package dev.regolith.jmh.product;

import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.rows.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The numbers that everybody multiplies: A {@code [batch, m, k]} and B {@code [batch, k, n]},
 * row-major, evenly distributed between -1 and 1, the same in every run. Contenders copy them into
 * memory of their own.
 */
public final class Problem implements Exercise {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final Shape shape;
  private final MemorySegment a;
  private final MemorySegment b;

  /** Draws the operands into memory of an arena. */
  public Problem(Shape shape, Arena arena) {
    this.shape = shape;
    a = Draw.evenly(arena, (long) shape.batch() * shape.m() * shape.k(), 1, 1);
    b = Draw.evenly(arena, (long) shape.batch() * shape.k() * shape.n(), 1, 2);
  }

  /** The sizes. */
  public Shape shape() {
    return shape;
  }

  /** The left operand. */
  public MemorySegment a() {
    return a;
  }

  /** The right operand. */
  public MemorySegment b() {
    return b;
  }

  /** Elements of the result. */
  public int resultElements() {
    return Math.toIntExact((long) shape.batch() * shape.m() * shape.n());
  }

  /** An element of A. */
  double a(int matrix, int row, int column) {
    return a.getAtIndex(FLOAT, ((long) matrix * shape.m() + row) * shape.k() + column);
  }

  /** An element of B. */
  double b(int matrix, int row, int column) {
    return b.getAtIndex(FLOAT, ((long) matrix * shape.k() + row) * shape.n() + column);
  }

  /** A copy of B, each matrix transposed: {@code [batch, n, k]}. */
  public MemorySegment transposedB(Arena arena) {
    MemorySegment copy = Draw.memory(arena, b.byteSize());
    for (int matrix = 0; matrix < shape.batch(); matrix++) {
      long start = (long) matrix * shape.k() * shape.n();
      for (int from = 0; from < shape.n(); from += 16) { // a line of B at a time
        int to = Math.min(shape.n(), from + 16);
        for (int row = 0; row < shape.k(); row++) {
          for (int column = from; column < to; column++) {
            float value = b.getAtIndex(FLOAT, start + (long) row * shape.n() + column);
            copy.setAtIndex(FLOAT, start + (long) column * shape.k() + row, value);
          }
        }
      }
    }
    return copy;
  }

  @Override
  public Envelope check() {
    return Envelope.of(this);
  }
}
