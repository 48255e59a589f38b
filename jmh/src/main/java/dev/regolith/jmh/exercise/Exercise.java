package dev.regolith.jmh.exercise;

/** The numbers of a row, the same in every run, and who has computed with them what was asked. */
public interface Exercise {
  /** Looks at results. Made once per row, since exact values take time. */
  Check check();
}
