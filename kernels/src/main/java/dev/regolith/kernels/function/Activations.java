package dev.regolith.kernels.function;

/**
 * The activations of feed-forward layers, float32, as listed sequences of operations.
 *
 * <pre>{@code
 * silu(x)     = x / (1 + exp(-x))
 * gelu(x)     = fma(h, erf(x SQRT_HALF), h)                        // h = 0.5 x
 * geluTanh(x) = fma(h, tanh(x fma(x x, CUBIC, LINEAR)), h)         // h = 0.5 x
 * }</pre>
 *
 * <p>NaN stays NaN, and so does minus infinity become NaN (infinity times or divided by nothing);
 * zero keeps its sign.
 */
public final class Activations {
  /** Square root of one half. */
  public static final float SQRT_HALF = 0x1.6a09e6p-1f;

  /** Square root of 2 / pi. */
  public static final float LINEAR = 0x1.988454p-1f;

  /** 0.044715 times the square root of 2 / pi. */
  public static final float CUBIC = (float) (0.044715 * 0.7978845608028654);

  private Activations() {}

  /** {@code x} times the logistic function of {@code x}. */
  public static float silu(float x) {
    return x / (1 + Exponential.of(-x));
  }

  /** {@code x} times the normal distribution function of {@code x}. */
  public static float gelu(float x) {
    float h = 0.5f * x;
    return Math.fma(h, ErrorFunction.of(x * SQRT_HALF), h);
  }

  /** The same, approximated with a hyperbolic tangent. */
  public static float geluTanh(float x) {
    float h = 0.5f * x;
    return Math.fma(h, HyperbolicTangent.of(x * Math.fma(x * x, CUBIC, LINEAR)), h);
  }
}
