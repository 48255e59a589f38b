package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/** Rotations of pairs {@code (a, b)} to {@code (fma(-b, s, a c), fma(a, s, b c))}. */
final class RowRotations {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  /** Every lane's neighbour. */
  private static final VectorShuffle<Float> SWAP = VectorShuffle.fromOp(FLOATS, lane -> lane ^ 1);

  /** The lower half of the lanes, each twice. */
  private static final VectorShuffle<Float> LOW = VectorShuffle.fromOp(FLOATS, lane -> lane / 2);

  /** The upper half of the lanes, each twice. */
  private static final VectorShuffle<Float> HIGH =
      VectorShuffle.fromOp(FLOATS, lane -> (lane + LANES) / 2);

  /** What the neighbour's product is multiplied by: -1 where b is the neighbour. */
  private static final float[] SIGNS = new float[LANES];

  static {
    for (int lane = 0; lane < LANES; lane++) {
      SIGNS[lane] = lane % 2 == 0 ? -1 : 1;
    }
  }

  private RowRotations() {}

  /** Pairs that lie {@code pairs} elements apart. */
  static void halves(
      MemorySegment x,
      long at,
      int pairs,
      MemorySegment cos,
      long cosAt,
      MemorySegment sin,
      long sinAt,
      MemorySegment out,
      long to) {
    x = known(x);
    cos = known(cos);
    sin = known(sin);
    out = known(out);
    long half = 4L * pairs;
    int full = FLOATS.loopBound(pairs);
    for (int i = 0; i < full; i += LANES) {
      FloatVector a = load(x, at, i);
      FloatVector b = load(x, at + half, i);
      FloatVector c = load(cos, cosAt, i);
      FloatVector s = load(sin, sinAt, i);
      b.neg().fma(s, a.mul(c)).intoMemorySegment(out, to + 4L * i, ORDER);
      a.fma(s, b.mul(c)).intoMemorySegment(out, to + half + 4L * i, ORDER);
    }
    for (int i = full; i < pairs; i++) {
      pair(x, at, i, i + pairs, cos, cosAt, sin, sinAt, i, out, to);
    }
  }

  /** Pairs of neighbours. */
  static void interleaved(
      MemorySegment x,
      long at,
      int pairs,
      MemorySegment cos,
      long cosAt,
      MemorySegment sin,
      long sinAt,
      MemorySegment out,
      long to) {
    x = known(x);
    cos = known(cos);
    sin = known(sin);
    out = known(out);
    FloatVector signs = FloatVector.fromArray(FLOATS, SIGNS, 0);
    int full = FLOATS.loopBound(pairs);
    for (int i = 0; i < full; i += LANES) {
      FloatVector c = load(cos, cosAt, i);
      FloatVector s = load(sin, sinAt, i);
      FloatVector v = load(x, at, 2 * i);
      v.rearrange(SWAP)
          .mul(signs)
          .fma(s.rearrange(LOW), v.mul(c.rearrange(LOW)))
          .intoMemorySegment(out, to + 8L * i, ORDER);
      v = load(x, at, 2 * i + LANES);
      v.rearrange(SWAP)
          .mul(signs)
          .fma(s.rearrange(HIGH), v.mul(c.rearrange(HIGH)))
          .intoMemorySegment(out, to + 8L * i + 4L * LANES, ORDER);
    }
    for (int i = full; i < pairs; i++) {
      pair(x, at, 2 * i, 2 * i + 1, cos, cosAt, sin, sinAt, i, out, to);
    }
  }

  private static void pair(
      MemorySegment x,
      long at,
      int first,
      int second,
      MemorySegment cos,
      long cosAt,
      MemorySegment sin,
      long sinAt,
      int i,
      MemorySegment out,
      long to) {
    float a = x.get(FLOAT, at + 4L * first);
    float b = x.get(FLOAT, at + 4L * second);
    float c = cos.get(FLOAT, cosAt + 4L * i);
    float s = sin.get(FLOAT, sinAt + 4L * i);
    out.set(FLOAT, to + 4L * first, Math.fma(-b, s, a * c));
    out.set(FLOAT, to + 4L * second, Math.fma(a, s, b * c));
  }

  private static FloatVector load(MemorySegment memory, long at, int i) {
    return FloatVector.fromMemorySegment(FLOATS, memory, at + 4L * i, ORDER);
  }
}
