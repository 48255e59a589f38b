package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.RowKernels;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Sums along a row in sixteen lanes: one vector of 512 bits, two of 256, four of 128. What the
 * width does not need falls out of the loop when it is compiled.
 */
final class RowReductions {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int STEP = RowKernels.LANES;

  private RowReductions() {}

  /** The largest of {@code scale x}, NaN if any is; the order does not show. */
  static float max(MemorySegment x, long at, int n, float scale) {
    x = known(x);
    FloatVector max = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    int full = FLOATS.loopBound(n);
    for (int j = 0; j < full; j += LANES) {
      max = max.max(FloatVector.fromMemorySegment(FLOATS, x, at + 4L * j, ORDER).mul(scale));
    }
    float result = max.reduceLanes(VectorOperators.MAX);
    for (int j = full; j < n; j++) {
      result = Math.max(result, scale * x.get(FLOAT, at + 4L * j));
    }
    return result;
  }

  /** Sums of every sixteenth element. */
  static void sum(MemorySegment x, long at, int n, float[] lanes) {
    x = known(x);
    FloatVector a = FloatVector.zero(FLOATS);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int full = n / STEP * STEP;
    for (int j = 0; j < full; j += STEP) {
      a = a.add(load(x, at, j));
      if (LANES < 16) {
        b = b.add(load(x, at, j + LANES));
      }
      if (LANES < 8) {
        c = c.add(load(x, at, j + 2 * LANES));
        d = d.add(load(x, at, j + 3 * LANES));
      }
    }
    store(a, b, c, d, lanes);
    for (int j = full; j < n; j++) {
      lanes[j - full] += x.get(FLOAT, at + 4L * j);
    }
  }

  /** Sums of the squares of every sixteenth element less the centre. */
  static void squares(MemorySegment x, long at, int n, float centre, float[] lanes) {
    x = known(x);
    FloatVector a = FloatVector.zero(FLOATS);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int full = n / STEP * STEP;
    for (int j = 0; j < full; j += STEP) {
      FloatVector v = load(x, at, j).sub(centre);
      a = v.fma(v, a);
      if (LANES < 16) {
        v = load(x, at, j + LANES).sub(centre);
        b = v.fma(v, b);
      }
      if (LANES < 8) {
        v = load(x, at, j + 2 * LANES).sub(centre);
        c = v.fma(v, c);
        v = load(x, at, j + 3 * LANES).sub(centre);
        d = v.fma(v, d);
      }
    }
    store(a, b, c, d, lanes);
    for (int j = full; j < n; j++) {
      float v = x.get(FLOAT, at + 4L * j) - centre;
      lanes[j - full] = Math.fma(v, v, lanes[j - full]);
    }
  }

  private static FloatVector load(MemorySegment x, long at, int j) {
    return FloatVector.fromMemorySegment(FLOATS, x, at + 4L * j, ORDER);
  }

  private static void store(
      FloatVector a, FloatVector b, FloatVector c, FloatVector d, float[] lanes) {
    a.intoArray(lanes, 0);
    if (LANES < 16) {
      b.intoArray(lanes, LANES);
    }
    if (LANES < 8) {
      c.intoArray(lanes, 2 * LANES);
      d.intoArray(lanes, 3 * LANES);
    }
  }
}
