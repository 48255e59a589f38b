package dev.regolith.kernels.backend.scalar;

import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.backend.RowProblem;
import dev.regolith.kernels.function.Activations;
import dev.regolith.kernels.function.Exponential;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** The row operators in plain loops: the reference. */
final class ScalarRows implements RowKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final float[] lanes = new float[LANES];

  @Override
  public void row(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment out,
      long outAt,
      MemorySegment sum,
      long sumAt) {
    MemorySegment x = p.x.memory;
    long at = p.x.at(matrix, row);
    MemorySegment y = p.y.memory;
    long yAt = p.y.isPresent() ? p.y.at(matrix, row) : 0;
    switch (p.operator) {
      case SOFTMAX -> softmax(p, x, at, out, outAt);
      case RMS_NORM, LAYER_NORM -> {
        if (p.y.isPresent()) {
          add(p, x, at, y, yAt, sum, sumAt);
          norm(p, matrix, row, sum, sumAt, out, outAt);
        } else {
          norm(p, matrix, row, x, at, out, outAt);
        }
      }
      case ROPE_INTERLEAVED -> rotate(p, matrix, row, x, at, out, outAt, 2, 1);
      case ROPE_HALVES -> rotate(p, matrix, row, x, at, out, outAt, 1, p.pairs);
      case SILU, GELU, GELU_TANH -> activate(p, x, at, y, yAt, out, outAt);
      case ADD -> add(p, x, at, y, yAt, out, outAt);
    }
  }

  private void softmax(RowProblem p, MemorySegment x, long at, MemorySegment out, long outAt) {
    float max = Float.NEGATIVE_INFINITY;
    for (int j = 0; j < p.columns; j++) {
      max = Math.max(max, p.scalar * x.get(FLOAT, at + 4L * j));
    }
    boolean nothing = max == Float.NEGATIVE_INFINITY;
    for (int j = 0; j < p.columns; j++) {
      float e = nothing ? 0 : Exponential.of(p.scalar * x.get(FLOAT, at + 4L * j) - max);
      out.set(FLOAT, outAt + 4L * j, e);
    }
    if (nothing) {
      return;
    }
    Arrays.fill(lanes, 0);
    for (int j = 0; j < p.columns; j++) {
      lanes[j % LANES] += out.get(FLOAT, outAt + 4L * j);
    }
    float r = 1 / addUp();
    for (int j = 0; j < p.columns; j++) {
      out.set(FLOAT, outAt + 4L * j, out.get(FLOAT, outAt + 4L * j) * r);
    }
  }

  private void norm(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment x,
      long at,
      MemorySegment out,
      long outAt) {
    float mean = 0;
    if (p.operator == RowOperator.LAYER_NORM) {
      Arrays.fill(lanes, 0);
      for (int j = 0; j < p.columns; j++) {
        lanes[j % LANES] += x.get(FLOAT, at + 4L * j);
      }
      mean = addUp() / p.columns;
    }
    Arrays.fill(lanes, 0);
    for (int j = 0; j < p.columns; j++) {
      float d = x.get(FLOAT, at + 4L * j) - mean;
      lanes[j % LANES] = Math.fma(d, d, lanes[j % LANES]);
    }
    float r = 1 / (float) Math.sqrt(addUp() / p.columns + p.scalar);
    long weightAt = p.weight.at(matrix, row);
    long biasAt = p.bias.isPresent() ? p.bias.at(matrix, row) : 0;
    for (int j = 0; j < p.columns; j++) {
      float d = (x.get(FLOAT, at + 4L * j) - mean) * r;
      float w = p.weight.memory.get(FLOAT, weightAt + 4L * j);
      float result =
          p.bias.isPresent() ? Math.fma(d, w, p.bias.memory.get(FLOAT, biasAt + 4L * j)) : d * w;
      out.set(FLOAT, outAt + 4L * j, result);
    }
  }

  private static void rotate(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment x,
      long at,
      MemorySegment out,
      long outAt,
      long step,
      long apart) {
    long cosAt = p.weight.at(matrix, row);
    long sinAt = p.bias.at(matrix, row);
    for (int i = 0; i < p.pairs; i++) {
      float c = p.weight.memory.get(FLOAT, cosAt + 4L * i);
      float s = p.bias.memory.get(FLOAT, sinAt + 4L * i);
      float a = x.get(FLOAT, at + 4 * step * i);
      float b = x.get(FLOAT, at + 4 * (step * i + apart));
      out.set(FLOAT, outAt + 4 * step * i, Math.fma(-b, s, a * c));
      out.set(FLOAT, outAt + 4 * (step * i + apart), Math.fma(a, s, b * c));
    }
    for (int j = 2 * p.pairs; j < p.columns; j++) {
      out.set(FLOAT, outAt + 4L * j, x.get(FLOAT, at + 4L * j));
    }
  }

  private static void activate(
      RowProblem p,
      MemorySegment x,
      long at,
      MemorySegment y,
      long yAt,
      MemorySegment out,
      long outAt) {
    for (int j = 0; j < p.columns; j++) {
      float v = x.get(FLOAT, at + 4L * j);
      float result =
          switch (p.operator) {
            case SILU -> Activations.silu(v);
            case GELU -> Activations.gelu(v);
            default -> Activations.geluTanh(v);
          };
      float factor = p.y.isPresent() ? y.get(FLOAT, yAt + 4L * j) : 1;
      out.set(FLOAT, outAt + 4L * j, p.y.isPresent() ? result * factor : result);
    }
  }

  private static void add(
      RowProblem p,
      MemorySegment x,
      long at,
      MemorySegment y,
      long yAt,
      MemorySegment out,
      long outAt) {
    for (int j = 0; j < p.columns; j++) {
      out.set(FLOAT, outAt + 4L * j, x.get(FLOAT, at + 4L * j) + y.get(FLOAT, yAt + 4L * j));
    }
  }

  private float addUp() {
    if (Probe.ON) {
      Probe.reach(ProbePoint.ROW_SUMS, lanes, 0, LANES);
    }
    return RowKernels.addUp(lanes);
  }
}
