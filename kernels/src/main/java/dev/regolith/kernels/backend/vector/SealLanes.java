package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.checksum.Seal;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The sums of a {@link Seal}, made a vector at a time while words are moved or read.
 *
 * <p>A column of vectors is walked downwards with running sums ({@code s0 += w; s1 += s0; s2 +=
 * s1}: three additions instead of two multiplications). A 64-bit lane holds two words; one chain
 * runs over whole lanes and one over their upper halves, and {@link #fold} takes them apart: modulo
 * 2^64, {@code sum(low) = sum(lane) - 2^32 sum(high)}.
 *
 * <p>The six running sums travel through a {@code long[]} ("raw"), not as vectors: a call that is
 * not inlined would box them.
 */
final class SealLanes {
  /** Length of a raw array: six sums of a vector each. */
  static final int RAW = 6 * 8;

  /** Length of an accumulator of {@link #fold}. */
  static final int FOLDED = 3 * 8;

  /** Place of the second chain in a raw array. */
  static final int UPPER = 3 * WIDE_LANES;

  private static final int HIGH = 32;
  private static final LongVector EVEN = LongVector.broadcast(LONGS, 0).addIndex(2);

  private SealLanes() {}

  /** Reads a column of full vectors. */
  static void scan(MemorySegment memory, long offset, long stride, int rows, long[] raw) {
    memory = known(memory);
    LongVector s0 = LongVector.zero(LONGS);
    LongVector s1 = s0;
    LongVector s2 = s0;
    LongVector h0 = s0;
    LongVector h1 = s0;
    LongVector h2 = s0;
    for (int i = 0; i < rows; i++) {
      LongVector v = LongVector.fromMemorySegment(LONGS, memory, offset + i * stride, ORDER);
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
   * Turns running sums into the three sums of a seal, lane by lane, and adds them to {@code
   * folded}.
   *
   * @param rows rows that were walked
   * @param first index, from 0, of the column's first word in its sealed block
   * @param pitch by how much the index grows from a row to the next
   */
  static void fold(long[] raw, int rows, long first, long pitch, long[] folded, int at) {
    LongVector s0 = LongVector.fromArray(LONGS, raw, 0);
    LongVector s1 = LongVector.fromArray(LONGS, raw, WIDE_LANES);
    LongVector s2 = LongVector.fromArray(LONGS, raw, 2 * WIDE_LANES);
    LongVector h0 = LongVector.fromArray(LONGS, raw, 3 * WIDE_LANES);
    LongVector h1 = LongVector.fromArray(LONGS, raw, 4 * WIDE_LANES);
    LongVector h2 = LongVector.fromArray(LONGS, raw, 5 * WIDE_LANES);
    s0 = s0.sub(h0.lanewise(VectorOperators.LSHL, HIGH));
    s1 = s1.sub(h1.lanewise(VectorOperators.LSHL, HIGH));
    s2 = s2.sub(h2.lanewise(VectorOperators.LSHL, HIGH));
    // With q = rows - i: s1 holds sum(q w), s2 sum(q (q + 1) / 2 w). Weighted by i and i^2:
    long r = rows;
    LongVector low1 = s0.mul(r).sub(s1);
    LongVector low2 = s0.mul(r * r).sub(s1.mul(2 * r + 1)).add(s2.mul(2));
    LongVector high1 = h0.mul(r).sub(h1);
    LongVector high2 = h0.mul(r * r).sub(h1.mul(2 * r + 1)).add(h2.mul(2));
    // index = pitch i + x, with x = first + 1 + column
    LongVector x = EVEN.add(first + 1);
    LongVector y = x.add(1);
    LongVector t1 = low1.add(high1).mul(pitch).add(x.mul(s0)).add(y.mul(h0));
    LongVector t2 =
        low2.add(high2)
            .mul(pitch * pitch)
            .add(x.mul(low1).add(y.mul(high1)).mul(2 * pitch))
            .add(x.mul(x).mul(s0))
            .add(y.mul(y).mul(h0));
    s0.add(h0).add(LongVector.fromArray(LONGS, folded, at)).intoArray(folded, at);
    t1.add(LongVector.fromArray(LONGS, folded, at + WIDE_LANES)).intoArray(folded, at + WIDE_LANES);
    t2.add(LongVector.fromArray(LONGS, folded, at + 2 * WIDE_LANES))
        .intoArray(folded, at + 2 * WIDE_LANES);
  }

  /** Adds the lanes up, into three sums, and clears them. */
  static void finish(long[] folded, int at, long[] sums, int sumsAt) {
    for (int s = 0; s < Seal.SUMS; s++) {
      long total = 0;
      for (int lane = 0; lane < WIDE_LANES; lane++) {
        total += folded[at + s * WIDE_LANES + lane];
        folded[at + s * WIDE_LANES + lane] = 0;
      }
      sums[sumsAt + s] = total;
    }
  }
}
