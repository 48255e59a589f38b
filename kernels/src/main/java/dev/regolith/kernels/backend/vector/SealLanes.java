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

  // Or, from machine code, as sums over lanes ("sums of lanes"): of both words of a lane and of its
  // upper one, by chain; the same weighted by the lane, from 0, and by lane (lane + 1) / 2.
  static final int BOTH_0 = 0;
  static final int WEIGHTED_0 = 1;
  static final int SQUARE_0 = 2;
  static final int BOTH_1 = 3;
  static final int WEIGHTED_1 = 4;
  static final int BOTH_2 = 5;
  static final int UPPER_0 = 6;
  static final int WEIGHTED_UPPER_0 = 7;
  static final int UPPER_1 = 8;

  /** How many sums of lanes. */
  static final int LANE_SUMS = 9;

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
    long both0 = 0;
    long weighted0 = 0;
    long square0 = 0;
    long both1 = 0;
    long weighted1 = 0;
    long both2 = 0;
    long upper0 = 0;
    long weightedUpper0 = 0;
    long upper1 = 0;
    for (int lane = WIDE_LANES - 1; lane >= 0; lane--) {
      long h0 = raw[from + UPPER + lane];
      long h1 = raw[from + UPPER + WIDE_LANES + lane];
      long h2 = raw[from + UPPER + 2 * WIDE_LANES + lane];
      both0 += raw[from + lane] - (h0 << HIGH) + h0;
      both1 += raw[from + WIDE_LANES + lane] - (h1 << HIGH) + h1;
      both2 += raw[from + 2 * WIDE_LANES + lane] - (h2 << HIGH) + h2;
      upper0 += h0;
      upper1 += h1;
      if (lane > 0) {
        weighted0 += both0;
        square0 += weighted0;
        weighted1 += both1;
        weightedUpper0 += upper0;
      }
    }
    combine(
        both0,
        weighted0,
        square0,
        both1,
        weighted1,
        both2,
        upper0,
        weightedUpper0,
        upper1,
        rows,
        sums,
        at);
  }

  /** Turns sums of lanes into the three sums of a seal. */
  static void finishSums(long[] sums, int from, int rows, long[] seal, int at) {
    combine(
        sums[from + BOTH_0],
        sums[from + WEIGHTED_0],
        sums[from + SQUARE_0],
        sums[from + BOTH_1],
        sums[from + WEIGHTED_1],
        sums[from + BOTH_2],
        sums[from + UPPER_0],
        sums[from + WEIGHTED_UPPER_0],
        sums[from + UPPER_1],
        rows,
        seal,
        at);
  }

  private static void combine(
      long both0,
      long weighted0,
      long square0,
      long both1,
      long weighted1,
      long both2,
      long upper0,
      long weightedUpper0,
      long upper1,
      int rows,
      long[] seal,
      int at) {
    // The place of a lane's lower word in a vector is 1 + 2 lane, of its upper word one more. Words
    // weighted by that, of two chains; by its square.
    long b0 = both0 + 2 * weighted0 + upper0;
    long b1 = both1 + 2 * weighted1 + upper1;
    long c0 = both0 + 8 * square0 + 3 * upper0 + 4 * weightedUpper0;
    // With q = rows - i: the second chain holds sum(q w), the third sum(q (q + 1) / 2 w). An index
    // is LANES i + place.
    long r = rows;
    long byRow = r * both0 - both1;
    long bySquare = r * r * both0 - (2 * r + 1) * both1 + 2 * both2;
    seal[at] = both0;
    seal[at + 1] = LANES * byRow + b0;
    seal[at + 2] = (long) LANES * LANES * bySquare + 2L * LANES * (r * b0 - b1) + c0;
  }
}
