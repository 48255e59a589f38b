package dev.regolith.kernels.backend.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.function.Exponential;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights that are held against each other four at a time: what an arithmetic unit got wrong. */
@Tag("machine")
class SoftmaxPassTest {
  private static final int ROWS = 7;
  private static final int BLOCK = AttentionProblem.BLOCK;

  /** Columns that are held against each other together. */
  private static final int FOUR = 4 * VectorShapes.LANES;

  /** Below this no product of four has an exponent that float32 has, whatever the scale. */
  private static final double LEAST = -174;

  /** Floats are compared in parts of two to that power. */
  private static final int PART_BITS = 20;

  private final float[] scores = new float[ROWS * BLOCK];
  private final float[] references = new float[ROWS];
  private final float[] weights = new float[ROWS * MicroKernel.STRIP_STRIDE + VectorShapes.LANES];
  private final float[] sums = new float[ROWS];
  private final float[] copies = new float[ROWS];
  private final long[] digests = new long[VectorShapes.WIDE_LANES];

  private void weigh(Random random, double deviation) {
    Arrays.fill(references, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) (deviation * random.nextGaussian());
      int row = i / BLOCK;
      references[row] = Math.max(references[row], scores[i]);
    }
    weigh();
  }

  private void weigh() {
    Arrays.fill(digests, 0);
    SoftmaxPass.weigh(scores, ROWS, BLOCK, references, 0, weights, sums, copies, digests, 0);
  }

  private boolean fit() {
    var misfits = new int[VectorShapes.LANES];
    Arrays.fill(misfits, -1);
    var ones = new float[ROWS];
    var lanes = new float[ROWS * VectorShapes.LANES];
    SoftmaxPass.examine(
        scores,
        weights,
        ROWS,
        BLOCK,
        references,
        ones,
        0,
        new float[BLOCK],
        lanes,
        lanes.clone(),
        digests.clone(),
        0,
        misfits);
    boolean fit = SoftmaxPass.fit(misfits);
    // Bytecode and machine code say the same.
    boolean each = true;
    for (int column = 0; column < BLOCK; column += FOUR) {
      each &= SoftmaxPass.fit(scores, ROWS, column, references, 0, weights);
    }
    assertThat(fit).isEqualTo(each);
    return fit;
  }

  private boolean differ() {
    return !SoftmaxPass.isReproduced(
        weights, scores, ROWS, BLOCK, references, 0, new SoftmaxPass.Again());
  }

  private static int scoreAt(int row, int key) {
    return row * BLOCK + key;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-30, 1e-3, 1, 4, 6})
  void correctWeightsFit(double deviation) {
    var random = new Random(7);
    for (int i = 0; i < 2000; i++) {
      weigh(random, deviation);
      assertThat(fit()).isTrue();
    }
  }

  @Test
  void groupsAtTheLimitFit() {
    var random = new Random(8);
    for (int i = 0; i < 500; i++) {
      Arrays.fill(references, 0);
      for (int k = 0; k < scores.length; k++) {
        scores[k] = (float) (LEAST / 4 * (1 - 1e-3 * random.nextDouble()));
      }
      weigh();
      assertThat(fit()).isTrue();
    }
  }

  /** Not that anything were wrong: there the weights are made again, and found to be the same. */
  @ParameterizedTest
  @ValueSource(doubles = {40, 200, 1e30})
  void groupsBeyondTheLimitDoNotFitButDoNotDifferEither(double deviation) {
    weigh(new Random(9), deviation);
    assertThat(fit()).isFalse();
    assertThat(differ()).isFalse();
  }

  /** Of every fifth float that is not positive, down to some that are too small. */
  @Test
  void weightsAreExponentialsToTheBit() {
    int least = Float.floatToRawIntBits(Exponential.SMALLEST) & Integer.MAX_VALUE;
    IntStream.rangeClosed(0, (least >> PART_BITS) + 1)
        .parallel()
        .mapToObj(part -> new SoftmaxPassTest().differingWeight(part << PART_BITS))
        .forEach(different -> assertThat(different).isEmpty());
  }

  private OptionalInt differingWeight(int from) {
    for (int bits = from; bits < from + (1 << PART_BITS); bits += 5 * scores.length) {
      for (int i = 0; i < scores.length; i++) {
        scores[i] = Float.intBitsToFloat(bits + 5 * i | Integer.MIN_VALUE);
      }
      weigh();
      for (int i = 0; i < scores.length; i++) {
        float weight = weights[i / BLOCK * MicroKernel.STRIP_STRIDE + i % BLOCK];
        int expected = Float.floatToRawIntBits(Exponential.of(scores[i]));
        if (Float.floatToRawIntBits(weight) != expected) {
          return OptionalInt.of(Float.floatToRawIntBits(scores[i]));
        }
      }
    }
    return OptionalInt.empty();
  }

  /** In any column; beside numbers, and among nothing else. */
  @ParameterizedTest
  @ValueSource(ints = {0xFF800000, 0xFF7FFFFF, 0xC2AEAC50, 0x7FC00000, 0xFFC00000, 0x7FC54321})
  void weightsOfHiddenKeysAreZeroAndThoseOfNanAreNan(int bits) {
    var random = new Random(bits);
    for (int key = 0; key < BLOCK; key++) {
      weigh(random, 1);
      for (int row = 0; row < ROWS; row++) {
        scores[scoreAt(row, (key + row) % BLOCK)] = Float.intBitsToFloat(bits);
      }
      weigh();
      requireExponentials();
    }
    Arrays.fill(scores, Float.intBitsToFloat(bits));
    Arrays.fill(references, 0);
    weigh();
    requireExponentials();
  }

  private void requireExponentials() {
    for (int i = 0; i < scores.length; i++) {
      float expected = Exponential.of(scores[i] - references[i / BLOCK]);
      float weight = weights[i / BLOCK * MicroKernel.STRIP_STRIDE + i % BLOCK];
      assertThat(Float.floatToIntBits(weight)).isEqualTo(Float.floatToIntBits(expected));
    }
  }

  /** Sixteen lanes take turns, and are halved; twice, and nothing around the rows. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void sumsOfWeightsAreAddedUpInCanonicalOrder(int parts) {
    int columns = Math.max(FOUR, BLOCK / parts);
    int first = 3;
    weigh(new Random(parts), 2);
    var shifted = new float[first + ROWS + 1];
    System.arraycopy(references, 0, shifted, first, ROWS);
    var sum = new float[first + ROWS + 1];
    var copy = new float[first + ROWS + 1];
    SoftmaxPass.weigh(scores, ROWS, columns, shifted, first, weights, sum, copy, digests, 0);
    for (int row = 0; row < ROWS; row++) {
      var lanes = new float[AttentionProblem.SUM_LANES];
      for (int key = 0; key < columns; key++) {
        lanes[key % lanes.length] += weights[row * MicroKernel.STRIP_STRIDE + key];
      }
      for (int half = lanes.length / 2; half > 0; half /= 2) {
        for (int lane = 0; lane < half; lane++) {
          lanes[lane] += lanes[lane + half];
        }
      }
      assertThat(sum[first + row]).isEqualTo(lanes[0]);
    }
    assertThat(copy).isEqualTo(sum);
    assertThat(Arrays.copyOf(sum, first)).containsOnly(0);
    assertThat(sum[first + ROWS]).isZero();
  }

  /** In any column, beside what is no number; of as many columns as there may be. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void theLargestScoreIsFoundInAnyColumn(int parts) {
    int columns = Math.max(FOUR, BLOCK / parts);
    int first = 2;
    var random = new Random(parts);
    float[] largest = {
      3, -1, 0, Float.MAX_VALUE, Float.POSITIVE_INFINITY, -1e30f, Float.NEGATIVE_INFINITY
    };
    for (int key = 0; key < columns; key++) {
      Arrays.fill(scores, Float.POSITIVE_INFINITY); // behind the columns
      for (int row = 0; row < ROWS; row++) {
        for (int other = 0; other < columns; other++) {
          int kind = random.nextInt(8);
          scores[scoreAt(row, other)] =
              kind == 0
                  ? Float.intBitsToFloat(random.nextBoolean() ? 0x7FC00000 : 0xFFC00001)
                  : kind == 1
                      ? Float.NEGATIVE_INFINITY
                      : Math.min(largest[row], (float) (-1e30 * (1 + random.nextDouble())));
        }
        scores[scoreAt(row, key)] = largest[row];
      }
      var found = new float[first + ROWS + 1];
      Arrays.fill(found, 7);
      SoftmaxPass.maxima(scores, ROWS, columns, found, first);
      assertThat(Arrays.copyOfRange(found, first, first + ROWS)).isEqualTo(largest);
      assertThat(new float[] {found[0], found[1], found[first + ROWS]}).containsOnly(7);
    }
    Arrays.fill(scores, Float.NaN);
    var found = new float[ROWS];
    SoftmaxPass.maxima(scores, ROWS, columns, found, 0);
    assertThat(found).containsOnly(Float.NEGATIVE_INFINITY);
  }

  @ParameterizedTest
  @ValueSource(ints = {0xFF800000, 0x7FC00000, 0xFFC00000})
  void hiddenKeysAndNanDoNotDiffer(int bits) {
    float special = Float.intBitsToFloat(bits);
    weigh(new Random(10), 1);
    for (int row = 0; row < ROWS; row++) {
      scores[scoreAt(row, 17 * row % AttentionProblem.BLOCK)] = special;
    }
    weigh();
    assertThat(differ()).isFalse();
    assertThat(fit()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-4, -1e-4, 1e-3, -0.5, 1, 1e6, -1, Double.NaN})
  void aWrongWeightDoesNotFit(double relative) {
    var random = new Random(11);
    for (int i = 0; i < 500; i++) {
      weigh(random, 1);
      int at = random.nextInt(ROWS) * MicroKernel.STRIP_STRIDE + random.nextInt(128);
      weights[at] = (float) (weights[at] * (1 + relative));
      assertThat(fit()).as("weight %d", at).isFalse();
      assertThat(differ()).as("weight %d", at).isTrue();
    }
  }

  @Test
  void anyWrongBitDiffersFromTheWeightsMadeAgain() {
    var random = new Random(12);
    for (int bit = 0; bit < Float.SIZE; bit++) {
      weigh(random, 3);
      int at = random.nextInt(ROWS) * MicroKernel.STRIP_STRIDE + random.nextInt(128);
      weights[at] = Float.intBitsToFloat(Float.floatToRawIntBits(weights[at]) ^ 1 << bit);
      assertThat(differ()).as("bit %d", bit).isTrue();
    }
  }

  /** All columns, and parts of them: an odd number of fours, too. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void weightsAreAddedUpAndTheirDigestIsThatOfMemory(int parts) {
    var random = new Random(13);
    int columns = Math.min(BLOCK, parts * Math.max(FOUR, BLOCK / 4));
    weigh(random, 2);
    Arrays.fill(digests, 0);
    SoftmaxPass.weigh(scores, ROWS, columns, references, 0, weights, sums, copies, digests, 0);
    int first = 2;
    var decays = new float[first + ROWS];
    Arrays.fill(decays, 0.5f);
    var shifted = new float[first + ROWS];
    System.arraycopy(references, 0, shifted, first, ROWS);
    var factors = new float[BLOCK];
    for (int key = 0; key < BLOCK; key++) {
      factors[key] = (float) random.nextDouble(1, 2);
    }
    var lanes = new float[(first + ROWS) * VectorShapes.LANES];
    var products = new float[(first + ROWS) * VectorShapes.LANES];
    Arrays.fill(lanes, 3);
    Arrays.fill(products, 5);
    var misfits = new int[VectorShapes.LANES];
    SoftmaxPass.examine(
        scores, weights, ROWS, columns, shifted, decays, first, factors, lanes, products, digests,
        0, misfits);
    assertThat(digests).containsOnly(0);
    assertThat(SoftmaxPass.fit(misfits)).isTrue();
    for (int row = 0; row < first + ROWS; row++) {
      double sum = sum(lanes, row * VectorShapes.LANES);
      double product = sum(products, row * VectorShapes.LANES);
      if (row < first) {
        assertThat(sum).isEqualTo(3 * VectorShapes.LANES);
        assertThat(product).isEqualTo(5 * VectorShapes.LANES);
        continue;
      }
      double expected = 0;
      double expectedProduct = 0;
      for (int key = 0; key < columns; key++) {
        double weight = Exponential.of(scores[scoreAt(row - first, key)] - shifted[row]);
        expected += weight;
        expectedProduct += weight * factors[key];
      }
      assertThat(sums[row - first]).isCloseTo((float) expected, withinFloat(expected));
      expected += 1.5 * VectorShapes.LANES;
      expectedProduct += 2.5 * VectorShapes.LANES;
      assertThat(sum).isCloseTo(expected, within(expected));
      assertThat(product).isCloseTo(expectedProduct, within(expectedProduct));
    }
  }

  /** Whichever four vectors the weight is in, of an odd or an even number of them. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void aMisfitIsFoundInAnyColumn(int parts) {
    var random = new Random(parts);
    int columns = Math.min(BLOCK, parts * Math.max(FOUR, BLOCK / 4));
    int first = 3;
    var shifted = new float[first + ROWS];
    var decays = new float[first + ROWS];
    var lanes = new float[(first + ROWS) * VectorShapes.LANES];
    for (int column = 0; column < columns; column++) {
      weigh(random, 2);
      System.arraycopy(references, 0, shifted, first, ROWS);
      int row = random.nextInt(ROWS);
      weights[row * MicroKernel.STRIP_STRIDE + column] *= 1.01f;
      var misfits = new int[VectorShapes.LANES];
      SoftmaxPass.examine(
          scores,
          weights,
          ROWS,
          columns,
          shifted,
          decays,
          first,
          new float[BLOCK],
          lanes,
          lanes.clone(),
          digests.clone(),
          0,
          misfits);
      assertThat(SoftmaxPass.fit(misfits)).as("column %d of %d", column, columns).isFalse();
    }
  }

  /** Any depth, also below a vector; any number of panels. */
  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 24, 64, 100, 128, 512})
  void residualsAreQueriesTimesCheckVectorLessTheSignedScores(int depth) {
    var random = new Random(depth);
    weigh(random, 1);
    int columns = BLOCK - (depth % 3) * VectorShapes.TILE_COLUMNS;
    var queries = new float[ROWS * MicroKernel.STRIP_STRIDE + VectorShapes.LANES];
    for (int i = 0; i < queries.length; i++) {
      queries[i] = (float) random.nextGaussian();
    }
    var residuals = new float[(ROWS + 1) * VectorShapes.LANES];
    residuals[ROWS * VectorShapes.LANES] = 7;
    Arrays.fill(digests, 0);
    int full = depth / VectorShapes.LANES * VectorShapes.LANES;
    try (var arena = Arena.ofConfined()) {
      MemorySegment vector = arena.allocate(64 + 4L * depth, 64);
      for (int i = 0; i < depth; i++) {
        vector.set(ValueLayout.JAVA_FLOAT, 64 + 4L * i, (float) random.nextGaussian());
      }
      SoftmaxPass.residuals(
          scores, ROWS, columns, BLOCK, queries, vector, 64, depth, residuals, digests, 0);
      var words = new long[VectorShapes.WIDE_LANES];
      for (int row = 0; row < ROWS; row++) {
        double expected = 0;
        double size = 0;
        for (int i = 0; i < full; i++) {
          double product =
              (double) queries[row * MicroKernel.STRIP_STRIDE + i]
                  * vector.get(ValueLayout.JAVA_FLOAT, 64 + 4L * i);
          expected += product;
          size += Math.abs(product);
        }
        for (int key = 0; key < columns; key++) {
          float score = scores[scoreAt(row, key)];
          expected -= Signs.of(1, key) * score;
          size += Math.abs(score);
          long word = Integer.toUnsignedLong(Float.floatToRawIntBits(score));
          words[key / 2 % words.length] -= word << (32 * (key % 2));
        }
        assertThat(sum(residuals, row * VectorShapes.LANES)).isCloseTo(expected, within(size));
      }
      assertThat(digests).isEqualTo(words);
      assertThat(residuals[ROWS * VectorShapes.LANES]).isEqualTo(7);
    }
  }

  private static Offset<Double> within(double of) {
    return Offset.offset(1e-5 * of);
  }

  private static Offset<Float> withinFloat(double of) {
    return Offset.offset((float) (1e-5 * of));
  }

  /** Whole vectors of rows and parts of them, against one row at a time. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 6, 8, 11, 16, 24, 37})
  void runningRowsAreThoseOfEachRow(int rows) {
    var random = new Random(rows);
    int room = 4 + rows + VectorShapes.LANES;
    int first = 3;
    var max = new float[room];
    var largest = new float[room];
    var found = new float[room];
    var decay = new float[room];
    float[] specials = {Float.NEGATIVE_INFINITY, 0, -0f, 3.5f, -88, 1e30f, Float.POSITIVE_INFINITY};
    for (int i = 0; i < room; i++) {
      max[i] = random.nextBoolean() ? specials[random.nextInt(7)] : (float) random.nextGaussian();
      largest[i] =
          random.nextBoolean() ? specials[random.nextInt(7)] : (float) random.nextGaussian();
    }
    float[] before = max.clone();
    float[] block = largest.clone();
    RunningRows.rise(largest, max, found, decay, first, rows);
    assertThat(largest).isEqualTo(block);
    for (int r = 0; r < room; r++) {
      boolean inside = r >= first && r < first + rows;
      float now = inside && block[r] > before[r] ? block[r] : before[r];
      float reference = VectorAttention.reference(now);
      assertThat(max[r]).as("maximum of %d", r).isEqualTo(now);
      assertThat(found[r]).as("reference of %d", r).isEqualTo(inside ? reference : 0);
      float expected = inside ? VectorAttention.decay(before[r], now) : 0;
      assertThat(decay[r]).as("decay of %d", r).isEqualTo(expected);
    }
    float[] copy = before.clone();
    var again = new float[room];
    var references = new float[room];
    assertThat(RunningRows.follow(max, copy, references, again, found, decay, first, rows))
        .isFalse();
    assertThat(Arrays.copyOfRange(copy, first, first + rows))
        .isEqualTo(Arrays.copyOfRange(max, first, first + rows));
    for (int r = first; r < first + rows; r++) {
      float[] wrong = decay.clone();
      wrong[r] = Float.intBitsToFloat(Float.floatToRawIntBits(wrong[r]) ^ 1);
      assertThat(follow(max, before, found, wrong, first, rows)).as("decay of %d", r).isTrue();
    }
    for (int r = first; r < first + rows; r++) {
      float[] wrong = found.clone();
      wrong[r] = Float.intBitsToFloat(Float.floatToRawIntBits(wrong[r]) ^ 1);
      assertThat(follow(max, before, wrong, decay, first, rows)).as("reference of %d", r).isTrue();
    }
    // One that did not rise, and falls: what follows from its copy is as it was.
    before[first] = max[first] = 2;
    found[first] = VectorAttention.reference(2);
    decay[first] = 1;
    assertThat(follow(max, before, found, decay, first, rows)).isFalse();
    for (float fallen : new float[] {Math.nextDown(2f), -2, Float.NEGATIVE_INFINITY, Float.NaN}) {
      max[first] = fallen;
      assertThat(follow(max, before, found, decay, first, rows)).as("falls to %f", fallen).isTrue();
    }
    max[first] = 2;
    float[] behind = decay.clone();
    behind[first + rows] = 7;
    behind[first - 1] = 7;
    assertThat(follow(max, before, found, behind, first, rows)).isFalse();
  }

  /** Whole vectors of rows and parts of them, and nothing around them. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 8, 11, 24})
  void runningSumsAndBoundsAreThoseOfEachRow(int rows) {
    var random = new Random(rows);
    int first = 3;
    int room = first + rows + VectorShapes.LANES;
    var sum = new float[room];
    var decay = new float[room];
    var block = new float[room];
    for (int i = 0; i < room; i++) {
      sum[i] = random.nextFloat();
      decay[i] = random.nextFloat();
      block[i] = random.nextFloat();
    }
    float[] added = sum.clone();
    float[] extended = sum.clone();
    RunningRows.add(added, decay, block, first, rows);
    RunningRows.extend(extended, decay, block, 1.7f, first, rows);
    for (int r = 0; r < room; r++) {
      boolean inside = r >= first && r < first + rows;
      assertThat(added[r]).isEqualTo(inside ? Math.fma(sum[r], decay[r], block[r]) : sum[r]);
      float more = block[r] * 1.7f;
      assertThat(extended[r]).isEqualTo(inside ? Math.fma(sum[r], decay[r], more) : sum[r]);
    }
  }

  private static boolean follow(
      float[] max, float[] before, float[] reference, float[] decay, int first, int rows) {
    var scratch = new float[max.length];
    return RunningRows.follow(
        max, before.clone(), scratch, scratch.clone(), reference, decay, first, rows);
  }

  /** Beyond the exponents that the product of four is for, nothing fits, right or wrong. */
  @ParameterizedTest
  @ValueSource(floats = {-200, -1e3f, -1e4f, -1e9f, -3e9f, -1e30f, -Float.MAX_VALUE})
  void nothingFitsBesideAFarMaskedKey(float mask) {
    var random = new Random(14);
    for (int i = 0; i < 300; i++) {
      weigh(random, 1);
      int column = random.nextInt(BLOCK / FOUR) * FOUR;
      int key = column + random.nextInt(FOUR);
      int row = random.nextInt(ROWS);
      scores[scoreAt(row, key)] += mask * (1 + random.nextInt(3) * 0.001f);
      weigh();
      assertThat(differ()).isFalse();
      assertThat(fit()).isFalse();
      for (int k = 0; k < FOUR; k++) {
        weights[row * MicroKernel.STRIP_STRIDE + column + k] = 0.75f;
      }
      assertThat(fit()).isFalse();
    }
  }

  private static double sum(float[] lanes, int at) {
    double sum = 0;
    for (int i = 0; i < VectorShapes.LANES; i++) {
      sum += lanes[at + i];
    }
    return sum;
  }
}
