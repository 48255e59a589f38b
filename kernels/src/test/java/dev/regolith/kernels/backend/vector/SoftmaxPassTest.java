package dev.regolith.kernels.backend.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.function.Exponential;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights that are held against each other four at a time: what an arithmetic unit got wrong. */
class SoftmaxPassTest {
  private static final int ROWS = VectorShapes.TILE_ROWS;
  private static final int TILES = AttentionProblem.BLOCK / VectorShapes.TILE_COLUMNS;

  /** Below this no product of four has an exponent that float32 has, whatever the scale. */
  private static final double LEAST = -174;

  private final float[] scores = new float[TILES * VectorShapes.TILE];
  private final float[] references = new float[ROWS];
  private final float[] weights = new float[ROWS * MicroKernel.STRIP_STRIDE + VectorShapes.LANES];
  private final float[] sums = new float[ROWS];
  private final float[] copies = new float[ROWS];
  private final long[] digests = new long[VectorShapes.WIDE_LANES];

  private void weigh(Random random, double deviation) {
    Arrays.fill(references, Float.NEGATIVE_INFINITY);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) (deviation * random.nextGaussian());
      int row = i % VectorShapes.TILE / VectorShapes.TILE_COLUMNS;
      references[row] = Math.max(references[row], scores[i]);
    }
    weigh();
  }

  private void weigh() {
    Arrays.fill(digests, 0);
    SoftmaxPass.weigh(scores, ROWS, TILES, references, 0, weights, sums, copies, digests, 0);
  }

  private boolean fit() {
    boolean fit = true;
    for (int tile = 0; tile < TILES; tile += 2) {
      fit &= SoftmaxPass.fit(scores, ROWS, tile, references, 0, weights);
    }
    return fit;
  }

  private boolean differ() {
    boolean differ = false;
    for (int tile = 0; tile < TILES; tile += 2) {
      differ |= SoftmaxPass.weightsDiffer(scores, ROWS, tile, references, 0, weights);
    }
    return differ;
  }

  private static int scoreAt(int row, int key) {
    int columns = VectorShapes.TILE_COLUMNS;
    return key / columns * VectorShapes.TILE + row * columns + key % columns;
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

  @ParameterizedTest
  @ValueSource(floats = {Float.NEGATIVE_INFINITY, Float.NaN})
  void hiddenKeysAndNanDoNotDiffer(float special) {
    weigh(new Random(10), 1);
    for (int row = 0; row < ROWS; row++) {
      scores[scoreAt(row, 17 * row % AttentionProblem.BLOCK)] = special;
    }
    weigh();
    assertThat(differ()).isFalse();
    if (special == Float.NEGATIVE_INFINITY) {
      assertThat(fit()).isFalse();
    }
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

  @Test
  void theDigestIsThatOfTheWeightsInMemory() {
    weigh(new Random(13), 2);
    var ones = new float[ROWS];
    Arrays.fill(ones, 1);
    var factors = new float[AttentionProblem.BLOCK];
    Arrays.fill(factors, 2);
    var lanes = new float[ROWS * VectorShapes.LANES];
    var products = new float[ROWS * VectorShapes.LANES];
    SoftmaxPass.addUp(weights, ROWS, TILES, ones, 0, factors, lanes, products, digests, 0);
    assertThat(digests).containsOnly(0);
    for (int row = 0; row < ROWS; row++) {
      double expected = 0;
      for (int key = 0; key < AttentionProblem.BLOCK; key++) {
        expected += Exponential.of(scores[scoreAt(row, key)] - references[row]);
      }
      double sum = VectorSums.sum(lanes, row * VectorShapes.LANES);
      double product = VectorSums.sum(products, row * VectorShapes.LANES);
      assertThat(sum).isCloseTo(expected, within(expected));
      assertThat(sums[row]).isCloseTo((float) expected, withinFloat(expected));
      assertThat(product).isCloseTo(2 * expected, within(2 * expected));
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
  @ValueSource(ints = {1, 3, 5, 6, 8, 11})
  void runningRowsAreThoseOfEachRow(int rows) {
    var random = new Random(rows);
    int room = 4 + rows + VectorShapes.LANES;
    int first = 3;
    var max = new float[room];
    var found = new float[room];
    var decay = new float[room];
    float[] specials = {Float.NEGATIVE_INFINITY, 0, -0f, 3.5f, -88, 1e30f, -1e30f};
    for (int i = 0; i < room; i++) {
      max[i] = random.nextBoolean() ? specials[random.nextInt(7)] : (float) random.nextGaussian();
      found[i] = random.nextBoolean() ? specials[random.nextInt(7)] : (float) random.nextGaussian();
    }
    float[] before = max.clone();
    float[] block = found.clone();
    RunningRows.rise(found, max, decay, first, rows);
    for (int r = 0; r < room; r++) {
      boolean inside = r >= first && r < first + rows;
      float now = inside && block[r] > before[r] ? block[r] : before[r];
      float reference = VectorAttention.reference(now);
      assertThat(max[r]).as("maximum of %d", r).isEqualTo(now);
      assertThat(found[r]).as("reference of %d", r).isEqualTo(inside ? reference : block[r]);
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
      wrong[r] = Math.nextUp(wrong[r]);
      assertThat(follow(max, before, found, wrong, first, rows)).as("decay of %d", r).isTrue();
    }
    for (int r = first; r < first + rows; r++) {
      float[] wrong = found.clone();
      wrong[r] = Math.nextUp(wrong[r]);
      assertThat(follow(max, before, wrong, decay, first, rows)).as("reference of %d", r).isTrue();
    }
    float[] behind = decay.clone();
    behind[first + rows] = 7;
    behind[first - 1] = 7;
    assertThat(follow(max, before, found, behind, first, rows)).isFalse();
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
      int tile = 2 * random.nextInt(TILES / 2);
      int key = tile * VectorShapes.TILE_COLUMNS + random.nextInt(2 * VectorShapes.TILE_COLUMNS);
      int row = random.nextInt(ROWS);
      scores[scoreAt(row, key)] += mask * (1 + random.nextInt(3) * 0.001f);
      weigh();
      assertThat(differ()).isFalse();
      assertThat(SoftmaxPass.fit(scores, ROWS, tile, references, 0, weights)).isFalse();
      for (int k = 0; k < 2 * VectorShapes.TILE_COLUMNS; k++) {
        weights[row * MicroKernel.STRIP_STRIDE + tile * VectorShapes.TILE_COLUMNS + k] = 0.75f;
      }
      assertThat(SoftmaxPass.fit(scores, ROWS, tile, references, 0, weights)).isFalse();
    }
  }
}
