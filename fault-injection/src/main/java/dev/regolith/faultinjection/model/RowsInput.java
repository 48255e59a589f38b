package dev.regolith.faultinjection.model;

import org.jspecify.annotations.Nullable;

/**
 * What was computed row by row, between two linear layers, in a forward pass.
 *
 * @param step what was computed
 * @param name in the manner of the model's file
 * @param x the rows, [tokens x width]
 * @param other what they met: weights [1 x width] of a norm, the other summand, the factor of a
 *     gate; null for a rotation, which goes by the number of the row
 */
public record RowsInput(Step step, String name, Matrix x, @Nullable Matrix other) {
  /** Computations on rows. */
  public enum Step {
    /** RMSNorm. */
    NORM,
    /** Rotation of every head by its position. */
    ROTATION,
    /** Sum of the residual stream and what a layer adds to it. */
    SUM,
    /** {@code silu(x) other}. */
    GATE
  }
}
