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
 * <p>Passes take a whole strip, and two tiles a turn: with more than 325 bytes of bytecode HotSpot
 * compiles them on their own. Inlined into their caller, the last vectors of several found the
 * compiler's budget spent, and were boxed.
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

  /** Exponents from here to 0 have exponentials that are normal when multiplied with that. */
  private static final float LEAST = -174;

  private static final int INFINITY = Float.floatToRawIntBits(Float.POSITIVE_INFINITY);

  /** Roundings of five exponentials and a product of four, with room to spare (numerics.md). */
  private static final float GROUP_ROUNDINGS = 0x1p-20f;

  /** Roundings of three sums, in units of the exponent, which is negative. */
  private static final float GROUP_ROUNDINGS_OF_EXPONENT = -0x1p-22f;

  private SoftmaxPass() {}

  private static VectorShuffle<Float> rotation(int by) {
    return VectorShuffle.fromOp(FLOATS, lane -> (lane + by) % LANES);
  }

  /** Copies a row of tiles. */
  static void copy(float[] source, float[] target, int at, int columns) {
    int k = at;
    for (int j = 0; j < columns; j += TILE_COLUMNS) {
      FloatVector.fromArray(FLOATS, source, k).intoArray(target, k);
      FloatVector.fromArray(FLOATS, source, k + LANES).intoArray(target, k + LANES);
      k += TILE;
    }
  }

  /**
   * Softcap of a row of tiles, in place. A pass of its own: where few rows were capped when it was
   * compiled, the hyperbolic tangent would not be inlined, and box its vectors from then on.
   */
  static void cap(float[] scores, int at, int columns, float softcap) {
    for (int j = 0; j < columns; j += LANES) {
      int k = at + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
      VectorFunctions.tanh(FloatVector.fromArray(FLOATS, scores, k).div(softcap))
          .mul(softcap)
          .intoArray(scores, k);
    }
  }

  /**
   * Linear bias and mask of a row of tiles, in place; hidden before {@code from} and from {@code
   * to} on.
   *
   * @param at place of the row in the first tile
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
      int k = at + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
      FloatVector t = hidden;
      if (j + LANES > from && j < to) {
        t = FloatVector.fromArray(FLOATS, scores, k);
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
      t.intoArray(scores, k);
    }
  }

  /** The largest score of every row that is a number; minus infinity if there is none. */
  static void maxima(float[] scores, int rows, int tiles, float[] found, int foundAt) {
    if (MachineSoftmax.SERVES) {
      MachineSoftmax.maxima(scores, rows, tiles, found, foundAt);
      return;
    }
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
   * order, twice.
   */
  static void weigh(
      float[] scores,
      int rows,
      int tiles,
      float[] references,
      int first,
      float[] weights,
      float[] sums,
      float[] copies,
      long[] digests,
      int digest) {
    if (MachineSoftmax.SERVES) {
      MachineSoftmax.weigh(
          scores, rows, tiles, references, first, weights, sums, copies, digests, digest);
      return;
    }
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      int row = i * TILE_COLUMNS;
      int to = i * MicroKernel.STRIP_STRIDE;
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      for (int k = row; k < row + tiles * TILE; k += TILE) {
        FloatVector x =
            VectorFunctions.expOfModerate(FloatVector.fromArray(FLOATS, scores, k).sub(reference));
        FloatVector y =
            VectorFunctions.expOfModerate(
                FloatVector.fromArray(FLOATS, scores, k + LANES).sub(reference));
        x.intoArray(weights, to);
        y.intoArray(weights, to + LANES);
        words = words.add(x.reinterpretAsLongs().add(y.reinterpretAsLongs()));
        to += TILE_COLUMNS;
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
   * Reads the scores of a strip after their last use: adds them up with signs, in lanes, and
   * subtracts them from their digest.
   *
   * @param raw scores before masks, of rows that are {@code transformed}
   * @param tiles that the block has
   * @param signs place of the first column's sign
   * @param shown receives the sums, row {@code i} at {@code (first + i) * LANES}
   */
  static void show(
      float[] scores,
      float[] raw,
      boolean[] transformed,
      int rows,
      int tiles,
      int first,
      int signs,
      float[] shown,
      long[] digests,
      int digest) {
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      float[] source = transformed[first + i] ? raw : scores;
      int k = i * TILE_COLUMNS;
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      int j = signs;
      int end = signs + tiles * TILE_COLUMNS;
      for (; j + TILE_COLUMNS < end; j += 2 * TILE_COLUMNS) {
        FloatVector a = FloatVector.fromArray(FLOATS, source, k);
        FloatVector b = FloatVector.fromArray(FLOATS, source, k + LANES);
        FloatVector c = FloatVector.fromArray(FLOATS, source, k + TILE);
        FloatVector d = FloatVector.fromArray(FLOATS, source, k + TILE + LANES);
        s0 = a.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j), s0);
        s1 = b.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + LANES), s1);
        s2 = c.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + 2 * LANES), s2);
        s3 = d.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + 3 * LANES), s3);
        LongVector ab = a.reinterpretAsLongs().add(b.reinterpretAsLongs());
        words = words.sub(ab.add(c.reinterpretAsLongs().add(d.reinterpretAsLongs())));
        k += 2 * TILE;
      }
      if (j < end) {
        FloatVector a = FloatVector.fromArray(FLOATS, source, k);
        FloatVector b = FloatVector.fromArray(FLOATS, source, k + LANES);
        s0 = a.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j), s0);
        s1 = b.fma(FloatVector.fromArray(FLOATS, BlockPass.SIGNS, j + LANES), s1);
        words = words.sub(a.reinterpretAsLongs().add(b.reinterpretAsLongs()));
      }
      s0.add(s1).add(s2.add(s3)).intoArray(shown, (first + i) * LANES);
    }
    words.intoArray(digests, digest);
  }

  /**
   * Reads the weights of a strip after their last use: adds them up, in an order of its own, and
   * subtracts them from their digest. Sums stay in lanes, row {@code i} at {@code (first + i) *
   * LANES}: adding lanes up would cost as much as the rest.
   *
   * @param tiles that were weighed, an even number
   * @param decays by what sums of earlier blocks are multiplied
   * @param factors a number for every weight
   * @param sums of weights, receives the block's
   * @param products of weights and factors, the same
   */
  static void addUp(
      float[] weights,
      int rows,
      int tiles,
      float[] decays,
      int first,
      float[] factors,
      float[] sums,
      float[] products,
      long[] digests,
      int digest) {
    LongVector words = LongVector.fromArray(LONGS, digests, digest);
    for (int i = 0; i < rows; i++) {
      int from = i * MicroKernel.STRIP_STRIDE;
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector p0 = s0;
      FloatVector p1 = s0;
      FloatVector p2 = s0;
      FloatVector p3 = s0;
      for (int j = 0; j < tiles * TILE_COLUMNS; j += 2 * TILE_COLUMNS) {
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
  }

  /**
   * Holds four weights at a time against each other: their product is the exponential of the sum of
   * what they are the exponentials of.
   *
   * @param tile of the strip: the columns of this one and the next
   * @return whether all four fit together, in every lane and row: not if one of them is zero, nor
   *     if the product is too small for float32, or NaN
   */
  static boolean fit(
      float[] scores, int rows, int tile, float[] references, int first, float[] weights) {
    IntVector wrong = IntVector.zero(INTS);
    IntVector infinity = IntVector.broadcast(INTS, INFINITY);
    int k = tile * TILE;
    int from = tile * TILE_COLUMNS;
    for (int i = 0; i < rows; i++) {
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      FloatVector a = FloatVector.fromArray(FLOATS, scores, k).sub(reference);
      FloatVector b = FloatVector.fromArray(FLOATS, scores, k + LANES).sub(reference);
      FloatVector c = FloatVector.fromArray(FLOATS, scores, k + TILE).sub(reference);
      FloatVector d = FloatVector.fromArray(FLOATS, scores, k + TILE + LANES).sub(reference);
      FloatVector exponent = a.add(b).add(c.add(d));
      FloatVector expected = VectorFunctions.scaledExp(exponent, GROUP_UNIT_BITS);
      FloatVector product =
          FloatVector.fromArray(FLOATS, weights, from)
              .mul(GROUP_UNIT)
              .mul(FloatVector.fromArray(FLOATS, weights, from + LANES))
              .mul(FloatVector.fromArray(FLOATS, weights, from + TILE_COLUMNS))
              .mul(FloatVector.fromArray(FLOATS, weights, from + TILE_COLUMNS + LANES));
      FloatVector tolerance =
          exponent.fma(
              FloatVector.broadcast(FLOATS, GROUP_ROUNDINGS_OF_EXPONENT),
              FloatVector.broadcast(FLOATS, GROUP_ROUNDINGS));
      IntVector room =
          expected.fma(tolerance, product.sub(expected).abs().neg()).reinterpretAsInts();
      // A sign is left if there is no room, or NaN, or if the exponential is not what it is for.
      wrong = wrong.or(room).or(infinity.sub(room)).or(exponent.sub(LEAST).reinterpretAsInts());
      k += TILE_COLUMNS;
      from += MicroKernel.STRIP_STRIDE;
    }
    return wrong.reduceLanes(VectorOperators.OR) >= 0;
  }

  /** Whether the weights of two tiles are others than their scores make; NaN equals NaN. */
  static boolean weightsDiffer(
      float[] scores, int rows, int tile, float[] references, int first, float[] weights) {
    IntVector differences = IntVector.zero(INTS);
    for (int i = 0; i < rows; i++) {
      FloatVector reference = FloatVector.broadcast(FLOATS, references[first + i]);
      int row = tile * TILE + i * TILE_COLUMNS;
      int from = i * MicroKernel.STRIP_STRIDE + tile * TILE_COLUMNS;
      for (int j = 0; j < 2 * TILE_COLUMNS; j += LANES) {
        int k = row + j / TILE_COLUMNS * TILE + j % TILE_COLUMNS;
        FloatVector again =
            VectorFunctions.expOfModerate(FloatVector.fromArray(FLOATS, scores, k).sub(reference));
        FloatVector weight = FloatVector.fromArray(FLOATS, weights, from + j);
        differences = differences.or(difference(again, weight));
      }
    }
    if (differences.reduceLanes(VectorOperators.OR) == 0) {
      return false;
    }
    boolean differ = false;
    for (int i = 0; i < rows; i++) {
      for (int j = tile * TILE_COLUMNS; j < (tile + 2) * TILE_COLUMNS; j++) {
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
