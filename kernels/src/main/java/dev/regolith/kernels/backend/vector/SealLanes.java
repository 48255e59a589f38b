package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The sums of a {@link Seal}, made a vector at a time while words are moved or read.
 *
 * <p>A column of vectors is walked downwards with running sums ({@code s0 += w; s1 += s0; s2 +=
 * s1}: three additions instead of two multiplications). A 64-bit lane holds two words; one chain
 * runs over whole lanes and one over their upper halves, and {@link #finish} takes them apart:
 * modulo 2^64, {@code sum(low) = sum(lane) - 2^32 sum(high)}.
 *
 * <p>The six running sums travel through a {@code long[]} ("raw"), not as vectors: a call that is
 * not inlined would box them.
 */
final class SealLanes {
  /** Length of a raw array: six sums of a vector each. */
  static final int RAW = 6 * WIDE_LANES;

  /** Place of the second chain in a raw array. */
  static final int UPPER = 3 * WIDE_LANES;

  private static final int HIGH = 32;

  private SealLanes() {}

  /** Copies words of an array, a vector after the other, and sums up the registers. */
  static void copy(int[] source, int vectors, MemorySegment target, long to, long[] raw) {
    target = known(target);
    LongVector s0 = LongVector.zero(LONGS);
    LongVector s1 = s0;
    LongVector s2 = s0;
    LongVector h0 = s0;
    LongVector h1 = s0;
    LongVector h2 = s0;
    for (int i = 0; i < vectors; i++) {
      LongVector v = IntVector.fromArray(INTS, source, i * LANES).reinterpretAsLongs();
      v.intoMemorySegment(target, to + 4L * i * LANES, ORDER);
      LongVector h = v.lanewise(VectorOperators.LSHR, HIGH);
      s0 = s0.add(v);
      s1 = s1.add(s0);
      s2 = s2.add(s1);
      h0 = h0.add(h);
      h1 = h1.add(h0);
      h2 = h2.add(h1);
    }
    put(s0, s1, s2, raw, 0);
    put(h0, h1, h2, raw, UPPER);
  }

  /** Stores one chain. Short enough for the compiler to inline it anywhere: a call would box. */
  static void put(LongVector s0, LongVector s1, LongVector s2, long[] raw, int at) {
    s0.intoArray(raw, at);
    s1.intoArray(raw, at + WIDE_LANES);
    s2.intoArray(raw, at + 2 * WIDE_LANES);
  }

  /**
   * Turns running sums into the three sums of a seal.
   *
   * @param rows vectors that were walked, one after the other
   */
  static void finish(long[] raw, int rows, long[] sums, int at) {
    finish(raw, 0, rows, sums, at);
  }

  /** The same, of running sums that start somewhere in an array. */
  static void finish(long[] raw, int from, int rows, long[] sums, int at) {
    // Over all lanes: the chains; those of words weighted by their place in a vector, from 1; the
    // first of them weighted by its square.
    long a0 = 0;
    long a1 = 0;
    long a2 = 0;
    long b0 = 0;
    long b1 = 0;
    long c0 = 0;
    for (int lane = 0; lane < WIDE_LANES; lane++) {
      long h0 = raw[from + 3 * WIDE_LANES + lane];
      long h1 = raw[from + 4 * WIDE_LANES + lane];
      long h2 = raw[from + 5 * WIDE_LANES + lane];
      long s0 = raw[from + lane] - (h0 << HIGH);
      long s1 = raw[from + WIDE_LANES + lane] - (h1 << HIGH);
      long s2 = raw[from + 2 * WIDE_LANES + lane] - (h2 << HIGH);
      long x = 1 + 2L * lane;
      long y = x + 1;
      a0 += s0 + h0;
      a1 += s1 + h1;
      a2 += s2 + h2;
      b0 += x * s0 + y * h0;
      b1 += x * s1 + y * h1;
      c0 += x * x * s0 + y * y * h0;
    }
    // With q = rows - i: a1 holds sum(q w), a2 sum(q (q + 1) / 2 w). An index is LANES i + place.
    long r = rows;
    long byRow = r * a0 - a1;
    long bySquare = r * r * a0 - (2 * r + 1) * a1 + 2 * a2;
    sums[at] = a0;
    sums[at + 1] = LANES * byRow + b0;
    sums[at + 2] = (long) LANES * LANES * bySquare + 2L * LANES * (r * b0 - b1) + c0;
  }
}
