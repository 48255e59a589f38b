package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.contender.ColdWeights;
import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A peer's own memory for an attention: Q, K and V, the latter two in as many copies as the row
 * asks for.
 */
final class AttentionOperands {
  /** How heads lie. */
  enum Order {
    /** {@code [batch, heads, tokens, headSize]}, as caches keep them */
    HEADS_FIRST,
    /** {@code [batch, tokens, heads, headSize]}, as projections leave them */
    TOKENS_FIRST
  }

  /** Where a vector of a result begins, in elements. */
  interface Places {
    long of(int sequence, int head, int query);
  }

  private final AttentionShape shape;
  private final MemorySegment q;
  private final MemorySegment[] k;
  private final MemorySegment[] v;

  AttentionOperands(Row row, AttentionProblem problem, Order ofQueries, Order ofKeys, Arena arena) {
    shape = row.attention();
    q = copy(problem.q(), shape.heads(), shape.queries(), ofQueries, arena);
    int copies = ColdWeights.copies(row);
    k = new MemorySegment[copies];
    v = new MemorySegment[copies];
    for (int i = 0; i < copies; i++) {
      k[i] = copy(problem.k(), shape.kvHeads(), shape.keys(), ofKeys, arena);
      v[i] = copy(problem.v(), shape.kvHeads(), shape.keys(), ofKeys, arena);
    }
  }

  private MemorySegment copy(
      MemorySegment source, int heads, int tokens, Order order, Arena arena) {
    MemorySegment copy = Draw.memory(arena, source.byteSize());
    if (order == Order.HEADS_FIRST) {
      return copy.copyFrom(source);
    }
    long bytes = 4L * shape.headSize();
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      for (int head = 0; head < heads; head++) {
        for (int token = 0; token < tokens; token++) {
          long from = ((long) sequence * heads + head) * tokens + token;
          long to = ((long) sequence * tokens + token) * heads + head;
          MemorySegment.copy(source, from * bytes, copy, to * bytes, bytes);
        }
      }
    }
    return copy;
  }

  int copies() {
    return k.length;
  }

  MemorySegment q() {
    return q;
  }

  MemorySegment k(int copy) {
    return k[copy];
  }

  MemorySegment v(int copy) {
    return v[copy];
  }

  /**
   * The result as everybody's is checked, {@code [batch, heads, queries, headSize]}.
   *
   * @param output a result
   * @param places where its vectors lie
   */
  float[] result(MemorySegment output, Places places) {
    int size = shape.headSize();
    var result = new float[shape.batch() * shape.heads() * shape.queries() * size];
    int at = 0;
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      for (int head = 0; head < shape.heads(); head++) {
        for (int query = 0; query < shape.queries(); query++) {
          long from = places.of(sequence, head, query);
          MemorySegment.copy(output, JAVA_FLOAT, 4 * from, result, at, size);
          at += size;
        }
      }
    }
    return result;
  }
}
