package dev.regolith.jmh.contender;

import dev.regolith.jmh.rows.Row;
import java.util.List;

/** One who computes what rows ask for. */
public interface Contender {
  /** Who it is. */
  Impl impl();

  /**
   * The ways it could compute this row; none if it has no such kernel. Where there are several (a
   * library with two entry points, or that takes B in either order), all are tried and the fastest
   * is raced.
   */
  List<Way> ways(Row row);
}
