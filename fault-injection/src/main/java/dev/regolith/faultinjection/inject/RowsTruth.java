package dev.regolith.faultinjection.inject;

import java.util.Arrays;
import org.apache.commons.numbers.gamma.Erf;

/**
 * What an operator of rows must come to: the bits of the loops that define it (docs/operators.md,
 * "Canonical order and error"), and the envelope of a correct float32 computation in that order,
 * from the bounds derived there.
 */
final class RowsTruth {
  private static final int LANES = 16;
  private static final double U = 0x1p-24;

  /** An exponential that is not a normal number counts as zero. */
  private static final double FLUSHED = 0x1p-126;

  /** SiLU where its exponential overflows, and below which it does. */
  private static final double OVERFLOWN = 0x1p-118;

  private static final double OVERFLOWS = -88;

  /** Of a rounding to a subnormal number. */
  private static final double HALF_SUBNORMAL = 0x1p-150;

  /** What first order, and the double arithmetic of this class, leave out. */
  private static final double MARGIN = 1.01;

  private static final float LINEAR = 0x1.988454p-1f;
  private static final float CUBIC = (float) (0.044715 * 0.7978845608028654);
  private static final float SQRT_HALF = 0x1.6a09e6p-1f;

  private final RowsWorkload w;
  private final int n;
  private final float[] bits;
  private final double[] exact;
  private final double[] envelope;

  private RowsTruth(RowsWorkload workload) {
    w = workload;
    n = w.columns();
    int size = w.x().length * (w.operator().writesSum() ? 2 : 1);
    bits = new float[size];
    exact = new double[size];
    envelope = new double[size];
  }

  /** The truth about an operator's results: the result, and the sum behind it if there is one. */
  static Truth of(RowsWorkload workload) {
    var truth = new RowsTruth(workload);
    for (int row = 0; row < workload.rows() * workload.heads(); row++) {
      truth.row(row);
    }
    truth.round();
    return new Truth(truth.bits, truth.exact, truth.envelope);
  }

  private void row(int row) {
    int at = row * n;
    float[] x = Arrays.copyOfRange(w.x(), at, at + n);
    int position = RowsWorkload.FIRST + row / w.heads();
    switch (w.operator()) {
      case SOFTMAX -> softmax(at, x);
      case RMS_NORM, LAYER_NORM -> norm(at, x);
      case RMS_NORM_OF_SUM, LAYER_NORM_OF_SUM -> {
        var sum = new float[n];
        for (int j = 0; j < n; j++) {
          sum[j] = x[j] + w.y()[at + j];
          double value = (double) x[j] + w.y()[at + j];
          set(w.x().length + at + j, sum[j], value, U * Math.abs(value));
        }
        norm(at, sum); // of the rounded sum
      }
      case ROPE_INTERLEAVED -> rotate(at, x, position, 2, 1);
      case ROPE_HALVES, ROPE_OF_HEADS -> rotate(at, x, position, 1, w.pairs());
      case SILU, GELU, GELU_TANH -> activate(at, x);
      case ADD -> {
        for (int j = 0; j < n; j++) {
          double value = (double) x[j] + w.y()[at + j];
          set(at + j, x[j] + w.y()[at + j], value, U * Math.abs(value));
        }
      }
    }
  }

  /** Where inputs are not finite, and there is no bound, nothing but the bits is right. */
  private void set(int at, float word, double value, double bound) {
    bits[at] = word;
    exact[at] = value;
    envelope[at] = Double.isNaN(bound) ? 0 : MARGIN * bound + HALF_SUBNORMAL;
  }

  /** Results of 16 bits are rounded once. */
  private void round() {
    for (int i = 0; w.type().isHalf() && i < bits.length; i++) {
      bits[i] = w.type().widen(w.type().round(bits[i]));
      envelope[i] += Rounding.of(w.type(), Math.abs(exact[i]) + envelope[i]);
    }
  }

  /** Of a sum along a row, relative to the sum of what its summands are in absolute value. */
  private double ofSum() {
    return (Math.ceilDiv(n, LANES) + 4) * U;
  }

  private static float addUp(float[] lanes) {
    for (int apart = LANES / 2; apart > 0; apart /= 2) {
      for (int i = 0; i < apart; i++) {
        lanes[i] += lanes[i + apart];
      }
    }
    return lanes[0];
  }

  private void softmax(int at, float[] x) {
    float max = Float.NEGATIVE_INFINITY;
    for (float each : x) {
      max = Math.max(max, w.scalar() * each);
    }
    if (max == Float.NEGATIVE_INFINITY) {
      return; // zeros
    }
    var lanes = new float[LANES];
    var exponentials = new float[n];
    double largest = 0;
    double sum = 0;
    for (int j = 0; j < n; j++) {
      float t = w.scalar() * x[j];
      exponentials[j] = CanonicalFunctions.exp(t - max);
      lanes[j % LANES] += exponentials[j];
      sum += Math.exp((double) w.scalar() * x[j] - max);
      largest = Double.isInfinite(t) ? largest : Math.max(largest, Math.abs(t));
    }
    float r = 1 / addUp(lanes);
    double relative = 2 * (4 * largest + 2) * U + ofSum() + 3 * U;
    for (int j = 0; j < n; j++) {
      double exponential = Math.exp((double) w.scalar() * x[j] - max);
      double value = exponential / sum;
      double flushed = exponential < 2 * FLUSHED ? FLUSHED : 0;
      set(at + j, exponentials[j] * r, value, relative * value + flushed);
    }
  }

  private void norm(int at, float[] x) {
    boolean centred = w.operator().isCentred();
    float mean = 0;
    double exactMean = 0;
    double absolute = 0;
    if (centred) {
      var lanes = new float[LANES];
      for (int j = 0; j < n; j++) {
        lanes[j % LANES] += x[j];
        exactMean += x[j] / (double) n;
        absolute += Math.abs(x[j]) / (double) n;
      }
      mean = addUp(lanes) / n;
    }
    var lanes = new float[LANES];
    double variance = 0;
    for (int j = 0; j < n; j++) {
      float d = x[j] - mean;
      lanes[j % LANES] = Math.fma(d, d, lanes[j % LANES]);
      variance += (x[j] - exactMean) * (x[j] - exactMean) / n;
    }
    float r = 1 / (float) Math.sqrt(addUp(lanes) / n + w.scalar());
    double exactR = 1 / Math.sqrt(variance + w.scalar());
    double off = ofSum() * absolute;
    double ofVariance =
        (2 * off * Math.sqrt(variance) + off * off + ofSum() * variance) / (variance + w.scalar());
    double relative = centred ? ofVariance / 2 + 8 * U : (ofSum() + 4 * U) / 2 + 4 * U;
    for (int j = 0; j < n; j++) {
      float weight = w.weight()[j];
      float d = (x[j] - mean) * r;
      double product = (x[j] - exactMean) * exactR * weight;
      double bound =
          (off * exactR + HALF_SUBNORMAL) * Math.abs(weight) + relative * Math.abs(product);
      boolean biased = w.bias().length > 0;
      float result = biased ? Math.fma(d, weight, w.bias()[j]) : d * weight;
      double value = biased ? product + w.bias()[j] : product;
      set(at + j, result, value, biased ? bound + U * Math.abs(value) : bound);
    }
  }

  private void rotate(int at, float[] x, int position, int step, int apart) {
    int pairs = w.pairs();
    for (int i = 0; i < pairs; i++) {
      float c = w.weight()[position * pairs + i];
      float s = w.bias()[position * pairs + i];
      int one = step * i;
      int other = one + apart;
      float a = x[one];
      float b = x[other];
      double turned = (double) a * c - (double) b * s;
      double also = (double) a * s + (double) b * c;
      double bound = U * (Math.abs((double) a * c) + Math.abs(turned)) + HALF_SUBNORMAL;
      double alsoBound = U * (Math.abs((double) b * c) + Math.abs(also)) + HALF_SUBNORMAL;
      set(at + one, Math.fma(-b, s, a * c), turned, bound);
      set(at + other, Math.fma(a, s, b * c), also, alsoBound);
    }
    for (int j = 2 * pairs; j < n; j++) {
      set(at + j, x[j], x[j], 0);
    }
  }

  private void activate(int at, float[] x) {
    for (int j = 0; j < n; j++) {
      float v = x[j];
      float h = 0.5f * v;
      float result =
          switch (w.operator()) {
            case SILU -> v / (1 + CanonicalFunctions.exp(-v));
            case GELU -> Math.fma(h, CanonicalFunctions.erf(v * SQRT_HALF), h);
            default -> Math.fma(h, CanonicalFunctions.tanh(v * Math.fma(v * v, CUBIC, LINEAR)), h);
          };
      double d = v;
      double value =
          switch (w.operator()) {
            case SILU -> d / (1 + Math.exp(-d));
            case GELU -> 0.5 * d * (1 + Erf.value(d / Math.sqrt(2)));
            default ->
                0.5 * d * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (d + 0.044715 * d * d * d)));
          };
      double size = Math.abs(value);
      double bound =
          switch (w.operator()) {
            case SILU -> 6 * U * size + (d < OVERFLOWS ? OVERFLOWN : 0);
            case GELU -> 2 * U * Math.abs(d) + 2 * U * size;
            default -> 4 * U * Math.abs(d) + 2 * U * size;
          };
      bound += 3 * HALF_SUBNORMAL; // of half of x, of the product, of the sum
      if (w.y().length > 0) {
        double factor = Math.abs((double) w.y()[at + j]);
        set(at + j, result * w.y()[at + j], value * w.y()[at + j], (bound + U * size) * factor);
      } else {
        set(at + j, result, value, bound);
      }
    }
  }
}
