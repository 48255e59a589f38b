package dev.regolith.jmh.contender;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;

/** A way to compute a row. */
public interface Way {
  /** What the report calls it; empty if there is nothing to tell. */
  String name();

  /**
   * Allocates memory, copies the operands, packs the weights, sets the number of threads. The
   * calling thread is the one that will compute.
   */
  Computation prepare(Row row, Exercise exercise, Arena arena);

  /** A way to a product from its parts. */
  static Way of(String name, Preparation<Problem> preparation) {
    return of(name, Problem.class, preparation);
  }

  /** A way to an attention from its parts. */
  static Way ofAttention(String name, Preparation<AttentionProblem> preparation) {
    return of(name, AttentionProblem.class, preparation);
  }

  /** A way to whatever is asked from its parts. */
  static Way ofAny(String name, Preparation<Exercise> preparation) {
    return of(name, Exercise.class, preparation);
  }

  private static <E extends Exercise> Way of(
      String name, Class<E> kind, Preparation<E> preparation) {
    return new Way() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public Computation prepare(Row row, Exercise exercise, Arena arena) {
        return preparation.prepare(row, kind.cast(exercise), arena);
      }
    };
  }

  /**
   * The second part of a way.
   *
   * @param <E> what it computes
   */
  @FunctionalInterface
  interface Preparation<E extends Exercise> {
    /** See {@link Way#prepare}. */
    Computation prepare(Row row, E exercise, Arena arena);
  }
}
