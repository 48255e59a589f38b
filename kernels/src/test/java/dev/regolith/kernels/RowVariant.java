package dev.regolith.kernels;

import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Every row operator with every set of operands, and what it is in exact arithmetic. */
enum RowVariant {
  SOFTMAX,
  SOFTMAX_SCALED,
  RMS_NORM,
  RMS_NORM_OF_SUM,
  LAYER_NORM,
  LAYER_NORM_UNBIASED,
  LAYER_NORM_OF_SUM,
  ROPE_INTERLEAVED,
  ROPE_HALVES,
  ROPE_OF_HEADS,
  SILU,
  GELU,
  GELU_TANH,
  SILU_GATED,
  GELU_GATED,
  GELU_TANH_GATED,
  ADD;

  static final float EPSILON = 1e-5f;
  static final float SCALE = 0.125f;
  static final long FIRST = 5;

  /** Half a unit in the last place of 1. */
  private static final double U = 0x1p-24;

  /** What a call takes. */
  record Tensors(Tensor x, Tensor y, Tensor weight, Tensor bias, Tensor sum, Tensor out) {}

  boolean isRope() {
    return name().startsWith("ROPE");
  }

  boolean isPaired() {
    return writesSum() || name().endsWith("GATED") || this == ADD;
  }

  boolean writesSum() {
    return name().endsWith("OF_SUM");
  }

  boolean isNorm() {
    return name().contains("NORM");
  }

  /** Pairs that are rotated of rows of some columns; an odd element or two are copied. */
  static int pairs(int columns) {
    return Math.max(1, columns * 3 / 8);
  }

  /** Calls the operator. */
  Status call(Session s, Tensors t) {
    return switch (this) {
      case SOFTMAX -> s.softmax(t.x, t.out);
      case SOFTMAX_SCALED -> s.softmax(SCALE, t.x, t.out);
      case RMS_NORM -> s.rmsNorm(t.x, t.weight, EPSILON, t.out);
      case RMS_NORM_OF_SUM -> s.rmsNorm(t.x, t.y, t.weight, EPSILON, t.sum, t.out);
      case LAYER_NORM -> s.layerNorm(t.x, t.weight, t.bias, EPSILON, t.out);
      case LAYER_NORM_UNBIASED -> s.layerNorm(t.x, t.weight, null, EPSILON, t.out);
      case LAYER_NORM_OF_SUM -> s.layerNorm(t.x, t.y, t.weight, t.bias, EPSILON, t.sum, t.out);
      case ROPE_INTERLEAVED ->
          s.rope(t.x, new Rotary(Rotary.Convention.INTERLEAVED, t.weight, t.bias), FIRST, t.out);
      case ROPE_HALVES ->
          s.rope(t.x, new Rotary(Rotary.Convention.HALVES, t.weight, t.bias), FIRST, t.out);
      case ROPE_OF_HEADS ->
          s.ropeOfHeads(t.x, new Rotary(Rotary.Convention.HALVES, t.weight, t.bias), FIRST, t.out);
      case SILU -> s.activate(Activation.SILU, t.x, t.out);
      case GELU -> s.activate(Activation.GELU, t.x, t.out);
      case GELU_TANH -> s.activate(Activation.GELU_TANH, t.x, t.out);
      case SILU_GATED -> s.activate(Activation.SILU, t.x, t.y, t.out);
      case GELU_GATED -> s.activate(Activation.GELU, t.x, t.y, t.out);
      case GELU_TANH_GATED -> s.activate(Activation.GELU_TANH, t.x, t.y, t.out);
      case ADD -> s.add(t.x, t.y, t.out);
    };
  }

  /** Results of a row in double precision, and how far float32 may be away from them. */
  static final class Exact {
    final double[] values;
    final double[] bounds;

    Exact(int n) {
      values = new double[n];
      bounds = new double[n];
    }

    void set(int j, double value, double bound) {
      values[j] = value;
      bounds[j] = bound + U * Math.abs(value) + 0x1p-126;
    }
  }

  /** A row in double precision; the bounds are derived in docs/operators.md. */
  Exact exact(float[] x, float[] y, float[] weight, float[] bias) {
    return switch (this) {
      case SOFTMAX -> softmax(x, 1);
      case SOFTMAX_SCALED -> softmax(x, SCALE);
      case RMS_NORM, RMS_NORM_OF_SUM, LAYER_NORM, LAYER_NORM_UNBIASED, LAYER_NORM_OF_SUM -> {
        var sum = new float[x.length];
        for (int j = 0; j < x.length; j++) {
          sum[j] = writesSum() ? x[j] + y[j] : x[j];
        }
        boolean biased = this == LAYER_NORM || this == LAYER_NORM_OF_SUM;
        yield norm(sum, weight, biased ? bias : null, !name().startsWith("RMS"));
      }
      case ROPE_INTERLEAVED -> rope(x, weight, bias, 2, 1);
      case ROPE_HALVES, ROPE_OF_HEADS -> rope(x, weight, bias, 1, weight.length);
      default -> map(x, y);
    };
  }

  private static double gamma(int n) {
    return (Math.ceilDiv(n, 16) + 6) * U;
  }

  private static Exact softmax(float[] x, float scale) {
    var result = new Exact(x.length);
    double max =
        IntStream.range(0, x.length).mapToDouble(j -> (double) scale * x[j]).max().orElse(0);
    double sum = 0;
    double largest = 0;
    for (float each : x) {
      sum += Math.exp((double) scale * each - max);
      largest = Math.max(largest, Math.abs((double) scale * each));
    }
    double relative = 2 * (4 * largest * U + 2 * U) + gamma(x.length) + 3 * U;
    for (int j = 0; j < x.length; j++) {
      double value = Math.exp((double) scale * x[j] - max) / sum;
      result.set(j, value, 1.01 * relative * value);
    }
    return result;
  }

  private static Exact norm(float[] x, float[] weight, float[] bias, boolean centred) {
    int n = x.length;
    double mean = 0;
    double absolute = 0;
    for (float each : x) {
      mean += each / (double) n;
      absolute += Math.abs(each) / (double) n;
    }
    mean = centred ? mean : 0;
    double off = centred ? gamma(n) * absolute : 0;
    double variance = 0;
    for (float each : x) {
      variance += (each - mean) * (each - mean) / n;
    }
    double r = 1 / Math.sqrt(variance + EPSILON);
    double ofVariance =
        (2 * off * Math.sqrt(variance) + off * off + gamma(n) * variance) / (variance + EPSILON);
    var result = new Exact(n);
    for (int j = 0; j < n; j++) {
      double d = x[j] - mean;
      double product = d * r * weight[j];
      double bound =
          Math.abs(product) * (0.5 * ofVariance + 8 * U) + 1.01 * off * r * Math.abs(weight[j]);
      result.set(j, product + (bias == null ? 0 : bias[j]), 1.01 * bound);
    }
    return result;
  }

  private static Exact rope(float[] x, float[] cos, float[] sin, int step, int apart) {
    var result = new Exact(x.length);
    for (int j = 0; j < x.length; j++) {
      result.set(j, x[j], 0);
    }
    for (int i = 0; i < cos.length; i++) {
      double a = x[step * i];
      double b = x[step * i + apart];
      double one = a * cos[i] - b * sin[i];
      double other = a * sin[i] + b * cos[i];
      result.set(step * i, one, U * Math.abs(a * cos[i]));
      result.set(step * i + apart, other, U * Math.abs(b * cos[i]));
    }
    return result;
  }

  private Exact map(float[] x, float[] y) {
    var result = new Exact(x.length);
    for (int j = 0; j < x.length; j++) {
      double v = x[j];
      double cubed = Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v);
      double value =
          switch (this) {
            case SILU, SILU_GATED -> v / (1 + Math.exp(-v));
            case GELU, GELU_GATED -> 0.5 * v * (1 + PreciseErf.of(v / Math.sqrt(2)));
            case GELU_TANH, GELU_TANH_GATED -> 0.5 * v * (1 + Math.tanh(cubed));
            default -> v + y[j];
          };
      double bound =
          switch (this) {
            case SILU, SILU_GATED -> 4 * U * Math.abs(value) + 0x1p-118;
            case GELU, GELU_GATED -> 2 * U * Math.abs(v);
            case GELU_TANH, GELU_TANH_GATED -> 4 * U * Math.abs(v);
            default -> 0;
          };
      bound += U * Math.abs(value);
      boolean gated = name().endsWith("GATED");
      result.set(j, gated ? value * y[j] : value, gated ? bound * Math.abs(y[j]) : bound);
    }
    return result;
  }

  /** Row {@code i} of a row-major array. */
  static float[] row(float[] all, int i, int columns) {
    return Arrays.copyOfRange(all, i * columns, (i + 1) * columns);
  }
}
