package dev.regolith.kernels.backend;

import java.util.Locale;

/** The operators whose rows are computed independently; docs/operators.md lists their orders. */
public enum RowOperator {
  /** Exponentials of a row, scaled to sum up to one. */
  SOFTMAX,
  /** A row over its root mean square, times weights; of {@code x + y} if there is a y. */
  RMS_NORM,
  /** A row, centred, over its deviation, times weights, plus biases; of {@code x + y} as above. */
  LAYER_NORM,
  /** Rotation of pairs of neighbours. */
  ROPE_INTERLEAVED,
  /** Rotation of pairs that lie half the rotated part apart. */
  ROPE_HALVES,
  /** {@code x / (1 + exp(-x))}; times y if there is a y. */
  SILU,
  /** {@code x Phi(x)} with the error function; times y if there is a y. */
  GELU,
  /** The same with a hyperbolic tangent; times y if there is a y. */
  GELU_TANH,
  /** {@code x + y}. */
  ADD;

  private final String title = name().toLowerCase(Locale.ROOT).replace('_', ' ');

  /** Its name in reports and messages. */
  public String title() {
    return title;
  }

  /** Whether pairs are rotated. */
  public boolean isRope() {
    return this == ROPE_INTERLEAVED || this == ROPE_HALVES;
  }

  /** Whether rows are normalised. */
  public boolean isNorm() {
    return this == RMS_NORM || this == LAYER_NORM;
  }
}
