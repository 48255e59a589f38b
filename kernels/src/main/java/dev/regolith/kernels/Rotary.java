package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;

/**
 * Rotary position embedding (Su et al., 2021): which elements of a row are turned together, and by
 * which angles.
 *
 * <p>Rows may be longer than twice the pairs: what follows is copied. Seal the tables, so that
 * calls need not seal what they read of them every time.
 *
 * @param convention which elements make a pair
 * @param cos cosines, {@code [positions, pairs]}
 * @param sin sines, of the same shape
 */
public record Rotary(Convention convention, Tensor cos, Tensor sin) {
  /** Which elements make a pair. */
  public enum Convention {
    /** Neighbours: elements 2i and 2i + 1 (as in the paper, GPT-J, the original Llama). */
    INTERLEAVED,
    /** Elements i and pairs + i (as in GPT-NeoX and Hugging Face's Llama). */
    HALVES
  }

  /**
   * Tables with the angles {@code position * theta^(-i / pairs)} of pair i, worked out in double
   * precision and rounded once.
   *
   * @param arena where the tables live
   * @param positions how many, from 0
   * @param dimension rotated elements of a row, even; may be less than a row has
   * @param theta base of the frequencies, usually 10,000 or 500,000
   */
  public static Rotary of(
      Convention convention, Arena arena, long positions, long dimension, double theta) {
    if (positions < 0 || dimension < 2 || dimension % 2 != 0 || !(theta > 0)) {
      throw new IllegalArgumentException(
          ("rotary tables need 0 positions or more, an even dimension from 2 and a positive base,"
                  + " not %d, %d and %s")
              .formatted(positions, dimension, theta));
    }
    long pairs = dimension / 2;
    var cos = Tensor.zeros(arena, DType.FLOAT32, positions, pairs);
    var sin = Tensor.zeros(arena, DType.FLOAT32, positions, pairs);
    for (long i = 0; i < pairs; i++) {
      double frequency = Math.pow(theta, -(double) i / pairs);
      for (long position = 0; position < positions; position++) {
        double angle = position * frequency;
        long at = position * pairs + i;
        cos.storage().segment().setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) Math.cos(angle));
        sin.storage().segment().setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) Math.sin(angle));
      }
    }
    return new Rotary(convention, cos, sin);
  }
}
