package dev.regolith.jmh.contender;

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
  Computation prepare(Row row, Problem problem, Arena arena);

  /** A way from its parts. */
  static Way of(String name, Preparation preparation) {
    return new Way() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public Computation prepare(Row row, Problem problem, Arena arena) {
        return preparation.prepare(row, problem, arena);
      }
    };
  }

  /** The second part of a way. */
  @FunctionalInterface
  interface Preparation {
    /** See {@link Way#prepare}. */
    Computation prepare(Row row, Problem problem, Arena arena);
  }
}
