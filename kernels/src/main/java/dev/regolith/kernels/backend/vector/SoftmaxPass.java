package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.MicroKernel.ROW;
import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Passes over the scores of a band, in rows of {@link MicroKernel#ROW} floats, and their weights,
 * in rows of {@link MicroKernel#STRIP_STRIDE}.
 *
 * <p>Passes that every band takes are large: with more than 325 bytes of bytecode HotSpot compiles
 * them on their own. Inlined into their caller, the last vectors of several found the compiler's
 * budget spent, and were boxed. Passes that only some rows need take a row.
 */
final class SoftmaxPass {
  private static final int SUM_LANES = AttentionProblem.SUM_LANES;

  private static final VectorShuffle<Float> BY_EIGHT = rotation(8);
  private static final VectorShuffle<Float> BY_FOUR = rotation(4);
  private static final VectorShuffle<Float> BY_TWO = rotation(2);
  private static final VectorShuffle<Float> BY_ONE = rotation(1);

  /** Keeps products of four weights normal: each is at most 1. */
  static final float GROUP_UNIT = 0x1p126f;

  private static final int GROUP_UNIT_BITS = Float.floatToRawIntBits(GROUP_UNIT);

  /** Exponents from here to 0 have exponentials that are normal when multiplied with that. */
  static final float LEAST = -174;

  private static final int INFINITY = Float.floatToRawIntBits(Float.POSITIVE_INFINITY);

  /** Roundings of five exponentials and a product of four, with room to spare (numerics.md). */
  static final float GROUP_ROUNDINGS = 0x1p-20f;

  /** Roundings of three sums, in units of the exponent, which is negative. */
  static final float GROUP_ROUNDINGS_OF_EXPONENT = -0x1p-22f;

  private SoftmaxPass() {}

  private static VectorShuffle<Float> rotation(int by) {
    return VectorShuffle.fromOp(FLOATS, lane -> (lane + by) % LANES);
  }

  /**
   * Softcap of a row, in place. A pass of its own: where few rows were capped when it was compiled,
   * the hyperbolic tangent would not be inlined, and box its vectors from then on.
   */
  static void cap(float[] scores, int at, int columns, float softcap) {
    for (int k = at; k < at + columns; k += LANES) {
      VectorFunctions.tanh(FloatVector.fromArray(FLOATS, scores, k).div(softcap))
          .mul(softcap)
          .intoArray(scores, k);
    }
  }

  /**
   * Linear bias and mask of a row, in place; hidden before {@code from} and from {@code to} on.
   *
   * @param at place of the row
   * @param columns that may be seen
   * @param leans whether {@code slope * distances} is added
   * @param adds whether {@code bias} is added; minus infinity hides
   */
  static void mask(
      float[] scores,
      int at,
      int columns,
      boolean leans,
      float slope,
      float[] distances,
      boolean adds,
      float[] bias,
      int from,
      int to) {
    FloatVector hidden = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int j = 0; j < columns; j += LANES) {
      FloatVector t = hidden;
      if (j + LANES > from && j < to) {
        t = FloatVector.fromArray(FLOATS, scores, at + j);
        if (leans) {
          FloatVector d = FloatVector.fromArray(FLOATS, distances, j);
          t = d.fma(FloatVector.broadcast(FLOATS, slope), t);
        }
        if (adds) {
          FloatVector b = FloatVector.fromArray(FLOATS, bias, j);
          t = t.add(b).blend(hidden, b.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
        }
        // Before the first key the index is negative, which counts as outside.
        t = hidden.blend(t, FLOATS.indexInRange(j - from, to - from));
      }
      t.intoArray(scores, at + j);
    }
  }

  /**
   * The largest score of every row that is a number; minus infinity if there is none.
   *
   * @param columns a multiple of four vectors
   */
  static void maxima(float[] scores, int rows, int columns, float[] found, int foundAt) {
    if (VectorShapes.MACHINE_CODE) {
      MachineSoftmax.maxima(scores, rows, columns, found, foundAt);
      return;
    }
    for (int i = 0; i < rows; i++) {
      FloatVector m = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
      FloatVector n = m;
      int row = i * ROW;
      for (int k = row; k < row + columns; k += 2 * LANES) {
        FloatVector x = FloatVector.fromArray(FLOATS, scores, k);
        m = m.blend(x, x.compare(VectorOperators.GT, m));
        x = FloatVector.fromArray(FLOATS, scores, k + LANES);
        n = n.blend(x, x.compare(VectorOperators.GT, n));
      }
      m = m.blend(n, n.compare(VectorOperators.GT, m));
      found[foundAt + i] = m.reduceLanes(VectorOperators.MAX);
    }
  }

  /**
   * Weights of a band: {@code exp(score - reference)}; their digest; and their sums, in canonical
   * order, twice.
   *
   * @param columns a multiple of four vectors
   */
  static void weigh(
      float[] scores,
      int rows,
      int columns,
      float[] references,
      int first,
      float[] weights,
      float[] sums,
      float[] copies,
      long[] digests,
      int digest) {
    if (VectorShapes.MACHINE_CODE) {
      MachineSoftmax.weigh(
          scores, rows, columns, references, first, weights, sums, copies, digests, digest);
      return;
    }
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      int row = i * ROW;
      int to = i * MicroKernel.STRIP_STRIDE;
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      for (int k = row; k < row + columns; k += 2 * LANES) {
        FloatVector x =
            VectorFunctions.expOfModerate(FloatVector.fromArray(FLOATS, scores, k).sub(reference));
        FloatVector y =
            VectorFunctions.expOfModerate(
                FloatVector.fromArray(FLOATS, scores, k + LANES).sub(reference));
        x.intoArray(weights, to);
        y.intoArray(weights, to + LANES);
        words = words.add(x.reinterpretAsLongs().add(y.reinterpretAsLongs()));
        to += 2 * LANES;
        // Sixteen lanes are one vector, two, or four that take turns.
        if (LANES >= SUM_LANES) {
          s0 = s0.add(x).add(y);
        } else if (2 * LANES >= SUM_LANES) {
          s0 = s0.add(x);
          s1 = s1.add(y);
        } else {
          x = s0.add(x);
          y = s1.add(y);
          s0 = s2;
          s1 = s3;
          s2 = x;
          s3 = y;
        }
      }
      // The halving of sixteen lanes: whole vectors first, then within one.
      if (2 * LANES < SUM_LANES) {
        s0 = s0.add(s2);
        s1 = s1.add(s3);
      }
      if (LANES < SUM_LANES) {
        s0 = s0.add(s1);
      }
      if (LANES >= 16) {
        s0 = s0.add(s0.rearrange(BY_EIGHT));
      }
      if (LANES >= 8) {
        s0 = s0.add(s0.rearrange(BY_FOUR));
      }
      s0 = s0.add(s0.rearrange(BY_TWO));
      float sum = s0.add(s0.rearrange(BY_ONE)).lane(0);
      sums[first + i] = sum;
      copies[first + i] = sum;
    }
    words.intoArray(digests, digest);
  }

  /**
   * Reads the scores of a band after their last use: what query times check vector is more than
   * their sum with signs, in lanes; and subtracts them from their digest.
   *
   * @param columns that the block has, a multiple of two vectors
   * @param signs place of the first column's sign
   * @param vector check vector of the block's keys, in native memory
   * @param residuals receives the difference, row {@code i} at {@code i * LANES}
   */
  static void residuals(
      float[] scores,
      int rows,
      int columns,
      int signs,
      float[] queries,
      MemorySegment vector,
      long vectorAt,
      int depth,
      float[] residuals,
      long[] digests,
      int digest) {
    if (VectorShapes.MACHINE_CODE) {
      MachineAttentionChecks.residuals(
          scores, rows, columns, signs, queries, vector, vectorAt, depth, residuals, digests,
          digest);
      return;
    }
    vector = known(vector);
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      int k = i * ROW;
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      int j = signs;
      int end = signs + columns;
      for (; j + 2 * LANES < end; j += 4 * LANES) {
        FloatVector a = FloatVector.fromArray(FLOATS, scores, k);
        FloatVector b = FloatVector.fromArray(FLOATS, scores, k + LANES);
        FloatVector c = FloatVector.fromArray(FLOATS, scores, k + 2 * LANES);
        FloatVector d = FloatVector.fromArray(FLOATS, scores, k + 3 * LANES);
        s0 = a.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j), s0);
        s1 = b.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + LANES), s1);
        s2 = c.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + 2 * LANES), s2);
        s3 = d.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + 3 * LANES), s3);
        LongVector ab = a.reinterpretAsLongs().add(b.reinterpretAsLongs());
        words = words.sub(ab.add(c.reinterpretAsLongs().add(d.reinterpretAsLongs())));
        k += 4 * LANES;
      }
      if (j < end) {
        FloatVector a = FloatVector.fromArray(FLOATS, scores, k);
        FloatVector b = FloatVector.fromArray(FLOATS, scores, k + LANES);
        s0 = a.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j), s0);
        s1 = b.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + LANES), s1);
        words = words.sub(a.reinterpretAsLongs().add(b.reinterpretAsLongs()));
      }
      FloatVector product = s0.add(s1).add(s2.add(s3)).neg();
      int query = i * MicroKernel.STRIP_STRIDE;
      for (int d = 0; d < FLOATS.loopBound(depth); d += LANES) {
        FloatVector factor =
            FloatVector.fromMemorySegment(FLOATS, vector, vectorAt + 4L * d, ORDER);
        product = FloatVector.fromArray(FLOATS, queries, query + d).fma(factor, product);
      }
      product.intoArray(residuals, i * LANES);
    }
    words.intoArray(digests, digest);
  }

  /**
   * Reads the weights of a band after their last use: adds them up, in an order of its own,
   * subtracts them from their digest, and holds them against their scores. Sums stay in lanes, row
   * {@code i} at {@code (first + i) * LANES}: adding lanes up would cost as much as the rest.
   *
   * @param columns that were weighed, a multiple of four vectors
   * @param references what exponents were taken relative to
   * @param decays by what sums of earlier blocks are multiplied
   * @param factors a number for every weight
   * @param sums of weights, receives the block's
   * @param products of weights and factors, the same
   * @param misfits receives a vector that has a sign if there are weights that do not fit their
   *     scores, see {@link #fit(float[], int, int, float[], int, float[])}
   */
  static void examine(
      float[] scores,
      float[] weights,
      int rows,
      int columns,
      float[] references,
      float[] decays,
      int first,
      float[] factors,
      float[] sums,
      float[] products,
      long[] digests,
      int digest,
      int[] misfits) {
    Arrays.fill(misfits, 0);
    if (VectorShapes.MACHINE_CODE) {
      MachineAttentionChecks.examine(
          scores,
          weights,
          rows,
          columns,
          references,
          decays,
          first,
          factors,
          sums,
          products,
          digests,
          digest,
          misfits);
      return;
    }
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      int from = i * MicroKernel.STRIP_STRIDE;
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector p0 = s0;
      FloatVector p1 = s0;
      FloatVector p2 = s0;
      FloatVector p3 = s0;
      for (int j = 0; j < columns; j += 4 * LANES) {
        FloatVector a = FloatVector.fromArray(FLOATS, weights, from + j);
        FloatVector b = FloatVector.fromArray(FLOATS, weights, from + j + LANES);
        FloatVector c = FloatVector.fromArray(FLOATS, weights, from + j + 2 * LANES);
        FloatVector d = FloatVector.fromArray(FLOATS, weights, from + j + 3 * LANES);
        s0 = s0.add(a.add(b));
        s1 = s1.add(c.add(d));
        p0 = a.fma(FloatVector.fromArray(FLOATS, factors, j), p0);
        p1 = b.fma(FloatVector.fromArray(FLOATS, factors, j + LANES), p1);
        p2 = c.fma(FloatVector.fromArray(FLOATS, factors, j + 2 * LANES), p2);
        p3 = d.fma(FloatVector.fromArray(FLOATS, factors, j + 3 * LANES), p3);
        LongVector ab = a.reinterpretAsLongs().add(b.reinterpretAsLongs());
        words = words.sub(ab.add(c.reinterpretAsLongs().add(d.reinterpretAsLongs())));
      }
      int r = (first + i) * LANES;
      FloatVector decay = FloatVector.broadcast(FLOATS, decays[first + i]);
      FloatVector.fromArray(FLOATS, sums, r).fma(decay, s0.add(s1)).intoArray(sums, r);
      FloatVector.fromArray(FLOATS, products, r)
          .fma(decay, p0.add(p1).add(p2.add(p3)))
          .intoArray(products, r);
    }
    words.intoArray(digests, digest);
    for (int column = 0; column < columns; column += 4 * LANES) {
      if (!fit(scores, rows, column, references, first, weights)) {
        misfits[0] = Integer.MIN_VALUE;
      }
    }
  }

  /** Whether all weights fit. */
  static boolean fit(int[] misfits) {
    int signs = 0;
    for (int lane : misfits) {
      signs |= lane;
    }
    return signs >= 0;
  }

  /**
   * Holds four weights at a time against each other: their product is the exponential of the sum of
   * what they are the exponentials of.
   *
   * @param column the first of four vectors
   * @return whether all four fit together, in every lane and row: not if one of them is zero, nor
   *     if the product is too small for float32, or NaN
   */
  static boolean fit(
      float[] scores, int rows, int column, float[] references, int first, float[] weights) {
    IntVector wrong = IntVector.zero(INTS);
    IntVector infinity = IntVector.broadcast(INTS, INFINITY);
    int k = column;
    int from = column;
    for (int i = 0; i < rows; i++) {
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      FloatVector a = FloatVector.fromArray(FLOATS, scores, k).sub(reference);
      FloatVector b = FloatVector.fromArray(FLOATS, scores, k + LANES).sub(reference);
      FloatVector c = FloatVector.fromArray(FLOATS, scores, k + 2 * LANES).sub(reference);
      FloatVector d = FloatVector.fromArray(FLOATS, scores, k + 3 * LANES).sub(reference);
      FloatVector exponent = a.add(b).add(c.add(d));
      FloatVector expected = VectorFunctions.scaledExp(exponent, GROUP_UNIT_BITS);
      FloatVector product =
          FloatVector.fromArray(FLOATS, weights, from)
              .mul(GROUP_UNIT)
              .mul(FloatVector.fromArray(FLOATS, weights, from + LANES))
              .mul(FloatVector.fromArray(FLOATS, weights, from + 2 * LANES))
              .mul(FloatVector.fromArray(FLOATS, weights, from + 3 * LANES));
      FloatVector tolerance =
          exponent.fma(
              FloatVector.broadcast(FLOATS, GROUP_ROUNDINGS_OF_EXPONENT),
              FloatVector.broadcast(FLOATS, GROUP_ROUNDINGS));
      IntVector room =
          expected.fma(tolerance, product.sub(expected).abs().neg()).reinterpretAsInts();
      // A sign is left if there is no room, or NaN, or if the exponential is not what it is for.
      wrong = wrong.or(room).or(infinity.sub(room)).or(exponent.sub(LEAST).reinterpretAsInts());
      k += ROW;
      from += MicroKernel.STRIP_STRIDE;
    }
    return wrong.reduceLanes(VectorOperators.OR) >= 0;
  }

  /** Where weights are made again. */
  static final class Again {
    private final float[] weights = new float[AttentionBuffers.BAND_OF_A];
    private final float[] sums = new float[AttentionRegion.MAX_ROWS];
    private final long[] digest = new long[WIDE_LANES];
  }

  /** Whether weights are what their scores make once more; NaN equals NaN. */
  static boolean isReproduced(
      float[] weights,
      float[] scores,
      int rows,
      int columns,
      float[] references,
      int first,
      Again again) {
    weigh(
        scores,
        rows,
        columns,
        references,
        first,
        again.weights,
        again.sums,
        again.sums,
        again.digest,
        0);
    boolean same = true;
    for (int i = 0; i < rows; i++) {
      int from = i * MicroKernel.STRIP_STRIDE;
      int to = from + columns;
      same &= Arrays.mismatch(again.weights, from, to, weights, from, to) < 0;
    }
    return same;
  }
}
