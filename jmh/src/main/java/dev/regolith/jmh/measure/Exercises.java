package dev.regolith.jmh.measure;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.jmh.rows.Sizes;
import java.lang.foreign.Arena;

/** Which numbers belong to which sizes. */
public final class Exercises {
  private Exercises() {}

  /** Draws the operands into memory of an arena. */
  public static Exercise of(Sizes sizes, Arena arena) {
    return switch (sizes) {
      case Shape shape -> new Problem(shape, arena);
      case AttentionShape shape -> new AttentionProblem(shape, arena);
    };
  }
}
