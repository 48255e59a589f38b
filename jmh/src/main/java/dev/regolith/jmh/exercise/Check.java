package dev.regolith.jmh.exercise;

import java.util.Optional;

/** What any correct result obeys. */
public interface Check {
  /**
   * Looks at a result, row-major.
   *
   * @return what is wrong with it, or nothing
   */
  Optional<String> refuse(float[] result);
}
