package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.function.Exponential;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * Passes over the scores of a strip: rows of tiles, as kernels stored them. A row of a block is two
 * vectors in each of a few tiles.
 *
 * <p>Passes take a whole strip, so that each is compiled on its own: inlined into their caller, the
 * last exponentials of several found the compiler's budget spent, and boxed their vectors.
 */
final class SoftmaxPass {
  private static final int SUM_LANES = AttentionProblem.SUM_LANES;

  private static final VectorShuffle<Float> BY_EIGHT = rotation(8);
  private static final VectorShuffle<Float> BY_FOUR = rotation(4);
  private static final VectorShuffle<Float> BY_TWO = rotation(2);
  private static final VectorShuffle<Float> BY_ONE = rotation(1);

  /** Keeps products of four weights normal: each is at most 1. */
  private static final float GROUP_UNIT = 0x1p126f;

  private static final int GROUP_UNIT_BITS = Float.floatToRawIntBits(GROUP_UNIT);

  /** Roundings of five exponentials and a product of four, with room to spare (numerics.md). */
  private static final float GROUP_ROUNDINGS = 0x1p-20f;

  /** Roundings of three sums, in units of the exponent, which is negative. */
  private static final float GROUP_ROUNDINGS_OF_EXPONENT = -0x1p-22f;

  private SoftmaxPass() {}

  private static VectorShuffle<Float> rotation(int by) {
    return VectorShuffle.fromOp(FLOATS, lane -> (lane + by) % LANES);
  }

  /**
   * Scores of a row to what the softmax sees: softcap, linear bias, mask; hidden before {@code
   * from} and from {@code to} on.
   *
   * @param raw receives the scores, at the same place
   * @param at place of the row in the first tile
   * @param columns that may be seen
   * @param all columns that the block has
   * @param softcap 0 for none
   * @param leans whether {@code slope * distances} is added
   * @param adds whether {@code bias} is added; minus infinity hides
   */
  static void transform(
      float[] source,
      float[] raw,
      float[] target,
      int at,
      int columns,
      int all,
      float softcap,
      boolean leans,
      float slope,
      float[] distances,
      boolean adds,
      float[] bias,
      int from,
      int to) {
    FloatVector hidden = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int j = 0; j < Math.max(columns, all); j += LANES) {
      int k = at + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
      FloatVector t = FloatVector.zero(FLOATS);
      if (j < all) {
        t = FloatVector.fromArray(FLOATS, source, k);
      }
      t.intoArray(raw, k);
      if (j >= columns) {
        continue;
      }
      if (j + LANES > from && j < to) {
        if (softcap > 0) {
          t = VectorFunctions.tanh(t.div(softcap)).mul(softcap);
        }
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
      } else {
        t = hidden;
      }
      t.intoArray(target, k);
    }
  }

  /** The largest score of every row that is a number; minus infinity if there is none. */
  static void maxima(float[] scores, int rows, int tiles, float[] found, int foundAt) {
    for (int i = 0; i < rows; i++) {
      FloatVector m = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
      FloatVector n = m;
      int row = i * TILE_COLUMNS;
      for (int k = row; k < row + tiles * TILE; k += TILE) {
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
   * Weights of a strip: {@code exp(score - reference)}; their digest; and their sums, in canonical
   * order.
   */
  static void weigh(
      float[] scores,
      int rows,
      int tiles,
      float[] references,
      int first,
      float[] weights,
      float[] sums,
      long[] digests,
      int digest) {
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      int row = i * TILE_COLUMNS;
      int to = i * MicroKernel.STRIP_STRIDE;
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      for (int k = row; k < row + tiles * TILE; k += TILE) {
        FloatVector weight =
            VectorFunctions.expOfModerate(FloatVector.fromArray(FLOATS, scores, k).sub(reference));
        weight.intoArray(weights, to);
        words = words.add(weight.reinterpretAsLongs());
        weight =
            VectorFunctions.expOfModerate(
                FloatVector.fromArray(FLOATS, scores, k + LANES).sub(reference));
        weight.intoArray(weights, to + LANES);
        words = words.add(weight.reinterpretAsLongs());
        to += TILE_COLUMNS;
      }
      int from = i * MicroKernel.STRIP_STRIDE;
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      for (int k = from; k < from + tiles * TILE_COLUMNS; k += SUM_LANES) {
        s0 = s0.add(FloatVector.fromArray(FLOATS, weights, k));
        if (LANES < SUM_LANES) {
          s1 = s1.add(FloatVector.fromArray(FLOATS, weights, k + LANES));
        }
        if (2 * LANES < SUM_LANES) {
          s2 = s2.add(FloatVector.fromArray(FLOATS, weights, k + 2 * LANES));
          s3 = s3.add(FloatVector.fromArray(FLOATS, weights, k + 3 * LANES));
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
      sums[first + i] = s0.add(s0.rearrange(BY_ONE)).lane(0);
    }
    words.intoArray(digests, digest);
  }

  /**
   * Reads the scores and weights of a strip after their last use. Subtracts both from their
   * digests; adds the weights up, in an order of its own; adds the scores up with signs; and holds
   * four weights at a time against each other: their product is the exponential of the sum of what
   * they are the exponentials of.
   *
   * <p>Sums stay in lanes, row {@code i} at {@code i * LANES}: adding lanes up would cost as much
   * as a fifth of the pass.
   *
   * @param tiles that were weighed, an even number, of {@code all} that the block has
   * @param raw scores before masks, of rows that are {@code transformed}
   * @param decays by what sums of earlier blocks are multiplied
   * @param signs place of the first column's sign
   * @param factors a number for every weight
   * @param sums of weights, receives the block's
   * @param products of weights and factors, the same
   * @param shown receives the block's scores with signs
   * @return whether all four of every group fit together: not if one of them is zero, nor if the
   *     product is too small for float32, or NaN
   */
  static boolean verify(
      float[] scores,
      float[] raw,
      boolean[] transformed,
      int rows,
      int tiles,
      int all,
      float[] references,
      float[] decays,
      int first,
      float[] weights,
      int signs,
      float[] factors,
      float[] sums,
      float[] products,
      float[] shown,
      long[] digests,
      int scoresDigest,
      int weightsDigest) {
    IntVector wrong = IntVector.zero(INTS);
    LongVector scoreWords = LongVector.fromArray(LONGS, digests, scoresDigest);
    LongVector weightWords = LongVector.fromArray(LONGS, digests, weightsDigest);
    for (int i = 0; i < rows; i++) {
      int r = first + i;
      float[] source = transformed[r] ? raw : scores;
      int k = i * TILE_COLUMNS;
      int from = i * MicroKernel.STRIP_STRIDE;
      FloatVector reference = FloatVector.broadcast(FLOATS, references[r]);
      FloatVector sum = FloatVector.zero(FLOATS);
      FloatVector product = sum;
      FloatVector signed = sum;
      int j = 0;
      for (; j < tiles * TILE_COLUMNS; j += 2 * TILE_COLUMNS) {
        FloatVector exponent = FloatVector.fromArray(FLOATS, scores, k).sub(reference);
        FloatVector weight = FloatVector.fromArray(FLOATS, weights, from + j);
        FloatVector group = weight.mul(GROUP_UNIT);
        sum = sum.add(weight);
        product = weight.fma(FloatVector.fromArray(FLOATS, factors, j), product);
        weightWords = weightWords.sub(weight.reinterpretAsLongs());

        int n = j + LANES;
        exponent = exponent.add(FloatVector.fromArray(FLOATS, scores, k + LANES).sub(reference));
        weight = FloatVector.fromArray(FLOATS, weights, from + n);
        group = group.mul(weight);
        sum = sum.add(weight);
        product = weight.fma(FloatVector.fromArray(FLOATS, factors, n), product);
        weightWords = weightWords.sub(weight.reinterpretAsLongs());

        n = j + TILE_COLUMNS;
        exponent = exponent.add(FloatVector.fromArray(FLOATS, scores, k + TILE).sub(reference));
        weight = FloatVector.fromArray(FLOATS, weights, from + n);
        group = group.mul(weight);
        sum = sum.add(weight);
        product = weight.fma(FloatVector.fromArray(FLOATS, factors, n), product);
        weightWords = weightWords.sub(weight.reinterpretAsLongs());

        n = j + TILE_COLUMNS + LANES;
        exponent =
            exponent.add(FloatVector.fromArray(FLOATS, scores, k + TILE + LANES).sub(reference));
        weight = FloatVector.fromArray(FLOATS, weights, from + n);
        group = group.mul(weight);
        sum = sum.add(weight);
        product = weight.fma(FloatVector.fromArray(FLOATS, factors, n), product);
        weightWords = weightWords.sub(weight.reinterpretAsLongs());

        FloatVector expected = VectorFunctions.scaledExp(exponent, GROUP_UNIT_BITS);
        FloatVector tolerance =
            exponent.fma(
                FloatVector.broadcast(FLOATS, GROUP_ROUNDINGS_OF_EXPONENT),
                FloatVector.broadcast(FLOATS, GROUP_ROUNDINGS));
        FloatVector distance = group.sub(expected).abs().neg();
        // Negative, or a NaN with the sign of the distance, if the four do not fit together.
        wrong = wrong.or(expected.fma(tolerance, distance).reinterpretAsInts());
        k += 2 * TILE;
      }
      k = i * TILE_COLUMNS;
      for (j = 0; j < all * TILE_COLUMNS; j += TILE_COLUMNS) {
        FloatVector x = FloatVector.fromArray(FLOATS, source, k);
        signed = x.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs + j), signed);
        scoreWords = scoreWords.sub(x.reinterpretAsLongs());
        x = FloatVector.fromArray(FLOATS, source, k + LANES);
        signed = x.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs + j + LANES), signed);
        scoreWords = scoreWords.sub(x.reinterpretAsLongs());
        k += TILE;
      }
      FloatVector decay = FloatVector.broadcast(FLOATS, decays[r]);
      FloatVector.fromArray(FLOATS, sums, r * LANES).fma(decay, sum).intoArray(sums, r * LANES);
      FloatVector.fromArray(FLOATS, products, r * LANES)
          .fma(decay, product)
          .intoArray(products, r * LANES);
      signed.intoArray(shown, r * LANES);
    }
    scoreWords.intoArray(digests, scoresDigest);
    weightWords.intoArray(digests, weightsDigest);
    return wrong.reduceLanes(VectorOperators.OR) >= 0;
  }

  /** Whether the weights of a strip are others than their scores make; NaN equals NaN. */
  static boolean differ(
      float[] scores, int rows, int tiles, float[] references, int first, float[] weights) {
    IntVector differences = IntVector.zero(INTS);
    for (int i = 0; i < rows; i++) {
      int row = i * TILE_COLUMNS;
      int from = i * MicroKernel.STRIP_STRIDE;
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      for (int k = row; k < row + tiles * TILE; k += TILE) {
        for (int half = 0; half < TILE_COLUMNS; half += LANES) {
          FloatVector again =
              VectorFunctions.expOfModerate(
                  FloatVector.fromArray(FLOATS, scores, k + half).sub(reference));
          FloatVector weight = FloatVector.fromArray(FLOATS, weights, from + half);
          differences = differences.or(difference(again, weight));
        }
        from += TILE_COLUMNS;
      }
    }
    if (differences.reduceLanes(VectorOperators.OR) == 0) {
      return false;
    }
    boolean differ = false;
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < tiles * TILE_COLUMNS; j++) {
        int k = i * TILE_COLUMNS + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
        float again = Exponential.of(scores[k] - references[first + i]);
        int bits = Float.floatToIntBits(weights[i * MicroKernel.STRIP_STRIDE + j]);
        differ |= Float.floatToIntBits(again) != bits;
      }
    }
    return differ;
  }

  private static IntVector difference(FloatVector x, FloatVector y) {
    return x.reinterpretAsInts().lanewise(VectorOperators.XOR, y.reinterpretAsInts());
  }

  /** Whether the parts of two rows of tiles, full tiles, differ in any bit; NaN equals NaN. */
  static boolean differ(float[] x, float[] y, int at, int columns) {
    IntVector differences = IntVector.zero(INTS);
    for (int j = 0; j < columns; j += LANES) {
      int k = at + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
      FloatVector a = FloatVector.fromArray(FLOATS, x, k);
      differences = differences.or(difference(a, FloatVector.fromArray(FLOATS, y, k)));
    }
    if (differences.reduceLanes(VectorOperators.OR) == 0) {
      return false;
    }
    boolean differ = false;
    for (int j = 0; j < columns; j++) {
      int k = at + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
      differ |= Float.floatToIntBits(x[k]) != Float.floatToIntBits(y[k]);
    }
    return differ;
  }
}
