package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.backend.RowProblem;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The row operators as a few passes along the row, each a small loop of its own ({@link
 * RowReductions}, {@link RowMaps}, {@link RowRotations}): a row lies in the first cache, and two
 * elementary functions in one loop would not be inlined.
 */
final class VectorRows implements RowKernels {
  /** Activations on their way to a product: the result may lie where the factor does. */
  private static final int GATED = 1024;

  private final float[] lanes = new float[LANES];
  private final MemorySegment gated = Arena.ofAuto().allocate(4L * GATED, 64);

  @Override
  public void row(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment out,
      long outAt,
      MemorySegment sum,
      long sumAt) {
    MemorySegment x = known(p.x.memory);
    long at = p.x.at(matrix, row);
    boolean paired = p.y.isPresent();
    MemorySegment y = paired ? known(p.y.memory) : x;
    long yAt = paired ? p.y.at(matrix, row) : at;
    int n = p.columns;
    switch (p.operator) {
      case SOFTMAX -> softmax(x, at, out, outAt, n, p.scalar);
      case RMS_NORM, LAYER_NORM -> {
        if (paired) {
          RowMaps.add(x, at, y, yAt, sum, sumAt, n);
          norm(p, matrix, row, sum, sumAt, out, outAt);
        } else {
          norm(p, matrix, row, x, at, out, outAt);
        }
      }
      case ROPE_INTERLEAVED, ROPE_HALVES -> rotate(p, matrix, row, x, at, out, outAt);
      case SILU, GELU, GELU_TANH -> {
        if (paired) {
          gate(p.operator, x, at, y, yAt, out, outAt, n);
        } else {
          activate(p.operator, x, at, out, outAt, n);
        }
      }
      case ADD -> RowMaps.add(x, at, y, yAt, out, outAt, n);
    }
  }

  /** In two passes: with the product in the same loop, C2 boxed the vectors of the function. */
  private void gate(
      RowOperator operator,
      MemorySegment x,
      long at,
      MemorySegment y,
      long yAt,
      MemorySegment out,
      long outAt,
      int n) {
    for (int from = 0; from < n; from += GATED) {
      int count = Math.min(GATED, n - from);
      long bytes = 4L * from;
      activate(operator, x, at + bytes, gated, 0, count);
      RowMaps.multiply(gated, 0, y, yAt + bytes, out, outAt + bytes, count);
    }
  }

  private static void activate(
      RowOperator operator, MemorySegment x, long at, MemorySegment out, long outAt, int n) {
    switch (operator) {
      case SILU -> RowMaps.silu(x, at, out, outAt, n);
      case GELU -> RowMaps.gelu(x, at, out, outAt, n);
      default -> RowMaps.geluTanh(x, at, out, outAt, n);
    }
  }

  private void softmax(
      MemorySegment x, long at, MemorySegment out, long outAt, int n, float scale) {
    float max = RowReductions.max(x, at, n, scale);
    if (max == Float.NEGATIVE_INFINITY) {
      out.asSlice(outAt, 4L * n).fill((byte) 0);
      return;
    }
    RowMaps.exponentials(x, at, out, outAt, n, scale, max);
    RowReductions.sum(out, outAt, n, lanes);
    RowMaps.scale(out, outAt, n, 1 / addUp());
  }

  private void norm(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment x,
      long at,
      MemorySegment out,
      long outAt) {
    int n = p.columns;
    float mean = 0;
    if (p.operator == RowOperator.LAYER_NORM) {
      RowReductions.sum(x, at, n, lanes);
      mean = addUp() / n;
    }
    RowReductions.squares(x, at, n, mean, lanes);
    float r = 1 / (float) Math.sqrt(addUp() / n + p.scalar);
    MemorySegment weight = p.weight.memory;
    long weightAt = p.weight.at(matrix, row);
    if (p.bias.isPresent()) {
      long biasAt = p.bias.at(matrix, row);
      RowMaps.normalise(x, at, n, mean, r, weight, weightAt, p.bias.memory, biasAt, out, outAt);
    } else {
      RowMaps.normalise(x, at, n, mean, r, weight, weightAt, out, outAt);
    }
  }

  private static void rotate(
      RowProblem p,
      long matrix,
      long row,
      MemorySegment x,
      long at,
      MemorySegment out,
      long outAt) {
    MemorySegment cos = p.weight.memory;
    MemorySegment sin = p.bias.memory;
    long cosAt = p.weight.at(matrix, row);
    long sinAt = p.bias.at(matrix, row);
    if (p.operator == RowOperator.ROPE_HALVES) {
      RowRotations.halves(x, at, p.pairs, cos, cosAt, sin, sinAt, out, outAt);
    } else {
      RowRotations.interleaved(x, at, p.pairs, cos, cosAt, sin, sinAt, out, outAt);
    }
    long rotated = 8L * p.pairs;
    long rest = 4L * p.columns - rotated;
    if (rest > 0) {
      MemorySegment.copy(x, at + rotated, out, outAt + rotated, rest);
    }
  }

  private float addUp() {
    if (Probe.ON) {
      Probe.reach(ProbePoint.ROW_SUMS, lanes, 0, LANES);
    }
    return RowKernels.addUp(lanes);
  }
}
