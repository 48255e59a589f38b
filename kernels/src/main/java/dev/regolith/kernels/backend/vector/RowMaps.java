package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.function.Activations;
import dev.regolith.kernels.function.Exponential;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Passes along a row that map every element by itself; what is left of a vector goes through the
 * plain functions, which give the same bits. The result may lie where an input does.
 */
final class RowMaps {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private RowMaps() {}

  /** {@code x + y}. */
  static void add(
      MemorySegment x, long at, MemorySegment y, long yAt, MemorySegment out, long to, int n) {
    x = known(x);
    y = known(y);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      load(x, at, j).add(load(y, yAt, j)).intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, x.get(FLOAT, at + 4L * j) + y.get(FLOAT, yAt + 4L * j));
    }
  }

  /** {@code exp(scale x - max)}: no argument is positive. */
  static void exponentials(
      MemorySegment x, long at, MemorySegment out, long to, int n, float scale, float max) {
    x = known(x);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      VectorFunctions.expOfModerate(load(x, at, j).mul(scale).sub(max))
          .intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, Exponential.of(scale * x.get(FLOAT, at + 4L * j) - max));
    }
  }

  /** {@code factor out}, in place. */
  static void scale(MemorySegment out, long to, int n, float factor) {
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      load(out, to, j).mul(factor).intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, out.get(FLOAT, to + 4L * j) * factor);
    }
  }

  /** {@code (x - centre) r weight}. */
  static void normalise(
      MemorySegment x,
      long at,
      int n,
      float centre,
      float r,
      MemorySegment weight,
      long weightAt,
      MemorySegment out,
      long to) {
    x = known(x);
    weight = known(weight);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      load(x, at, j)
          .sub(centre)
          .mul(r)
          .mul(load(weight, weightAt, j))
          .intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      float d = (x.get(FLOAT, at + 4L * j) - centre) * r;
      out.set(FLOAT, to + 4L * j, d * weight.get(FLOAT, weightAt + 4L * j));
    }
  }

  /** {@code fma((x - centre) r, weight, bias)}. */
  static void normalise(
      MemorySegment x,
      long at,
      int n,
      float centre,
      float r,
      MemorySegment weight,
      long weightAt,
      MemorySegment bias,
      long biasAt,
      MemorySegment out,
      long to) {
    x = known(x);
    weight = known(weight);
    bias = known(bias);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      load(x, at, j)
          .sub(centre)
          .mul(r)
          .fma(load(weight, weightAt, j), load(bias, biasAt, j))
          .intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      float d = (x.get(FLOAT, at + 4L * j) - centre) * r;
      float w = weight.get(FLOAT, weightAt + 4L * j);
      out.set(FLOAT, to + 4L * j, Math.fma(d, w, bias.get(FLOAT, biasAt + 4L * j)));
    }
  }

  /** {@code x y}. */
  static void multiply(
      MemorySegment x, long at, MemorySegment y, long yAt, MemorySegment out, long to, int n) {
    x = known(x);
    y = known(y);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      load(x, at, j).mul(load(y, yAt, j)).intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, x.get(FLOAT, at + 4L * j) * y.get(FLOAT, yAt + 4L * j));
    }
  }

  /** {@link Activations#silu}. */
  static void silu(MemorySegment x, long at, MemorySegment out, long to, int n) {
    x = known(x);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      FloatVector v = load(x, at, j);
      v = v.div(VectorFunctions.exp(v.neg()).add(1));
      v.intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, Activations.silu(x.get(FLOAT, at + 4L * j)));
    }
  }

  /** {@link Activations#gelu}. */
  static void gelu(MemorySegment x, long at, MemorySegment out, long to, int n) {
    x = known(x);
    out = known(out);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      FloatVector v = load(x, at, j);
      FloatVector h = v.mul(0.5f);
      v = h.fma(VectorFunctions.erf(v.mul(Activations.SQRT_HALF)), h);
      v.intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, Activations.gelu(x.get(FLOAT, at + 4L * j)));
    }
  }

  /** {@link Activations#geluTanh}. */
  static void geluTanh(MemorySegment x, long at, MemorySegment out, long to, int n) {
    x = known(x);
    out = known(out);
    FloatVector cubic = FloatVector.broadcast(FLOATS, Activations.CUBIC);
    FloatVector linear = FloatVector.broadcast(FLOATS, Activations.LINEAR);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      FloatVector v = load(x, at, j);
      FloatVector h = v.mul(0.5f);
      v = h.fma(VectorFunctions.tanh(v.mul(v.mul(v).fma(cubic, linear))), h);
      v.intoMemorySegment(out, to + 4L * j, ORDER);
    }
    for (int j = full; j < n; j++) {
      out.set(FLOAT, to + 4L * j, Activations.geluTanh(x.get(FLOAT, at + 4L * j)));
    }
  }

  private static FloatVector load(MemorySegment memory, long at, int j) {
    return FloatVector.fromMemorySegment(FLOATS, memory, at + 4L * j, ORDER);
  }
}
