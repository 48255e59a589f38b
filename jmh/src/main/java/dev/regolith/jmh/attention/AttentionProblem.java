package dev.regolith.jmh.attention;

import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.rows.AttentionShape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The numbers of an attention: Q {@code [batch, heads, queries, headSize]}, K and V {@code [batch,
 * kvHeads, keys, headSize]}, row-major. K and V lie between -1 and 1, Q between -3 and 3, so that
 * scores {@code q k / sqrt(headSize)} have a variance of 1, as those of trained layers do about: a
 * few keys of many count, and no exponential underflows.
 */
public final class AttentionProblem implements Exercise {
  private static final float WIDTH_OF_QUERIES = 3;

  private final AttentionShape shape;
  private final MemorySegment q;
  private final MemorySegment k;
  private final MemorySegment v;

  /** Draws the operands into memory of an arena. */
  public AttentionProblem(AttentionShape shape, Arena arena) {
    this.shape = shape;
    q = Draw.evenly(arena, resultElements(), WIDTH_OF_QUERIES, 3);
    k = Draw.evenly(arena, cachedElements(), 1, 4);
    v = Draw.evenly(arena, cachedElements(), 1, 5);
  }

  /** The sizes. */
  public AttentionShape shape() {
    return shape;
  }

  /** Queries. */
  public MemorySegment q() {
    return q;
  }

  /** Keys. */
  public MemorySegment k() {
    return k;
  }

  /** Values. */
  public MemorySegment v() {
    return v;
  }

  /** Elements of the result, and of Q. */
  public int resultElements() {
    return Math.toIntExact(
        (long) shape.batch() * shape.heads() * shape.queries() * shape.headSize());
  }

  /** Elements of K, and of V. */
  public long cachedElements() {
    return (long) shape.batch() * shape.kvHeads() * shape.keys() * shape.headSize();
  }

  @Override
  public AttentionEnvelope check() {
    return AttentionEnvelope.of(this);
  }
}
