package dev.regolith.jmh.contender;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Row;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The operands of a row as a default user has them: tensors in off-heap memory that was never
 * handed out, operands sealed, weights packed by the session, an output that the operator seals.
 */
abstract class SessionOperands {
  final Session session;
  final Arena arena;
  private final int copies;
  private int next;

  /** Operands of which something is there in so many copies. */
  SessionOperands(Session session, Arena arena, int copies) {
    this.session = session;
    this.arena = arena;
    this.copies = copies;
  }

  /** Prepares them for the kernel that the row asks for. */
  static SessionOperands of(Session session, Row row, Exercise exercise, Arena arena) {
    return switch (exercise) {
      case Problem problem -> new SessionProduct(session, row, problem, arena);
      case AttentionProblem problem -> new SessionAttention(session, row, problem, arena);
      default -> throw new IllegalArgumentException("no kernel for " + exercise);
    };
  }

  /** A tensor for the result. */
  abstract Tensor newOutput();

  /** Computes what the row asks for. */
  abstract Status compute(Tensor output);

  /** Which copy is to be used. */
  final int current() {
    return next;
  }

  /** Goes on to the next copy. */
  final void advance() {
    if (++next >= copies) {
      next = 0;
    }
  }

  /** Overwrites a result with NaN, without taking its memory from the library. */
  final void spoil(Tensor output) {
    try (var edit = session.edit(output)) {
      edit.segment().fill((byte) 0xff);
    }
  }

  /** A tensor of these values, sealed if the session protects. */
  final Tensor sealed(MemorySegment values, long... sizes) {
    Tensor tensor = Tensor.zeros(arena, DType.FLOAT32, sizes);
    try (var edit = session.edit(tensor)) { // its segment() would end sealing by the library
      edit.segment().copyFrom(values);
    }
    if (session.protection() != Protection.OFF) {
      session.seal(tensor);
    }
    return tensor;
  }
}
