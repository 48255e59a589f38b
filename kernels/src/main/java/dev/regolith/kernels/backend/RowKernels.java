package dev.regolith.kernels.backend;

import java.lang.foreign.MemorySegment;

/**
 * Computes rows, in the order of operations of docs/operators.md, so that all implementations give
 * the same bits. Holds what one thread needs; one thread at a time.
 */
public interface RowKernels {
  /** Lanes of every sum along a row, whatever the vectors are. */
  int LANES = 16;

  /**
   * Computes a row. The result may lie where x or y does.
   *
   * @param out receives the result, from byte {@code outAt} on
   * @param sum receives {@code x + y} of a norm, from byte {@code sumAt} on
   */
  void row(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment out,
      long outAt,
      MemorySegment sum,
      long sumAt);

  /** Adds lanes up: lane i and i + 8, then i + 4, i + 2, i + 1. */
  static float addUp(float[] lanes) {
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[0];
  }
}
