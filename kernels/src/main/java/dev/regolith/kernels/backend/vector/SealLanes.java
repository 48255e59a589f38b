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

  // Sums over lanes, which machine code makes of a raw array's: of a chain's words; weighted by
  // their place in a vector, from 1; by its square.
  static final int WORDS_0 = 0;
  static final int WORDS_1 = 1;
  static final int WORDS_2 = 2;
  static final int PLACED_0 = 3;
  static final int PLACED_1 = 4;
  static final int SQUARED_0 = 5;

  /** How many sums over lanes. */
  static final int LANE_SUMS = 6;

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
    // A sum of the sums from the last lane down to each other weights lanes, from 0; a sum of such
    // sums by lane (lane + 1) / 2.
    long words0 = 0;
    long weighted0 = 0;
    long square0 = 0;
    long words1 = 0;
    long weighted1 = 0;
    long words2 = 0;
    long upper0 = 0;
    long weightedUpper0 = 0;
    long upper1 = 0;
    for (int lane = WIDE_LANES - 1; lane >= 0; lane--) {
      long h0 = raw[from + UPPER + lane];
      long h1 = raw[from + UPPER + WIDE_LANES + lane];
      long h2 = raw[from + UPPER + 2 * WIDE_LANES + lane];
      words0 += raw[from + lane] - (h0 << HIGH) + h0;
      words1 += raw[from + WIDE_LANES + lane] - (h1 << HIGH) + h1;
      words2 += raw[from + 2 * WIDE_LANES + lane] - (h2 << HIGH) + h2;
      upper0 += h0;
      upper1 += h1;
      if (lane > 0) {
        weighted0 += words0;
        square0 += weighted0;
        weighted1 += words1;
        weightedUpper0 += upper0;
      }
    }
    // The place of a lane's lower word is 1 + 2 lane, of its upper one 2 + 2 lane.
    long placed0 = words0 + 2 * weighted0 + upper0;
    long placed1 = words1 + 2 * weighted1 + upper1;
    long squared0 = words0 + 8 * square0 + 3 * upper0 + 4 * weightedUpper0;
    finish(words0, words1, words2, placed0, placed1, squared0, rows, sums, at);
  }

  /** The same, of sums over lanes. */
  static void finishSums(long[] sums, int from, int rows, long[] seal, int at) {
    finish(
        sums[from + WORDS_0],
        sums[from + WORDS_1],
        sums[from + WORDS_2],
        sums[from + PLACED_0],
        sums[from + PLACED_1],
        sums[from + SQUARED_0],
        rows,
        seal,
        at);
  }

  private static void finish(
      long words0,
      long words1,
      long words2,
      long placed0,
      long placed1,
      long squared0,
      int rows,
      long[] seal,
      int at) {
    // With q = rows - i: the second chain holds sum(q w), the third sum(q (q + 1) / 2 w). An index
    // is LANES i + place.
    long r = rows;
    long byRow = r * words0 - words1;
    long bySquare = r * r * words0 - (2 * r + 1) * words1 + 2 * words2;
    seal[at] = words0;
    seal[at + 1] = LANES * byRow + placed0;
    seal[at + 2] =
        (long) LANES * LANES * bySquare + 2L * LANES * (r * placed0 - placed1) + squared0;
  }
}
