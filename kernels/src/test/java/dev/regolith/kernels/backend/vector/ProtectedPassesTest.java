package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.Tolerance;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The passes of every protected product, in machine code or bytecode, lane by lane against scalar
 * loops: a wrong sum would only widen a tolerance, which no product shows.
 */
@Tag("machine")
class ProtectedPassesTest {
  private static final int STRIDE = 700;

  private final Arena arena = Arena.ofConfined();
  private final SplittableRandom random = new SplittableRandom(3);

  @AfterEach
  void close() {
    arena.close();
  }

  @ParameterizedTest(name = "{0} rows of {1} from {2}")
  @CsvSource({"1, 128, 0", "4, 32, 0", "4, 96, 128", "2, 128, 384", "3, 64, 256"})
  void copiedRowsAreSummedUp(int rows, int width, int k) {
    MemorySegment a = floats(4 * STRIDE);
    var strip = new float[VectorShapes.TILE_ROWS * MicroKernel.STRIP_STRIDE + LANES];
    var raw = new long[SealLanes.RAW];
    var digests = new long[3 * WIDE_LANES];
    var survey = new RowSurvey();
    survey.open();
    var expected = new long[SealLanes.RAW];
    var digest = new long[WIDE_LANES];
    var sums = new float[rows * LANES];
    int second = MicroKernel.STRIP_STRIDE;
    // Twice: sums and digest go on where they ended, running sums start anew.
    for (int turn = 0; turn < 2; turn++) {
      Arrays.fill(expected, 0);
      Strip.copyBlock(
          a, 8, 4L * STRIDE, rows, width, strip, second, k, raw, digests, WIDE_LANES, survey);
      for (int i = 0; i < rows; i++) {
        chain(a, 2 + i * STRIDE, width, expected, digest);
        for (int lane = 0; lane < LANES; lane++) {
          float sum = sums[i * LANES + lane];
          float other = 0;
          for (int j = lane; j < width; j += 2 * LANES) {
            sum += at(a, 2 + i * STRIDE + j);
            other += at(a, 2 + i * STRIDE + j + LANES);
          }
          sums[i * LANES + lane] = sum + other;
          assertThat(survey.sums[i * LANES + lane]).isEqualTo(sum + other);
          for (int grain = 0; grain < width; grain += Tolerance.GRAIN) {
            float energy = 0;
            float rest = 0;
            int end = Math.min(width, grain + Tolerance.GRAIN);
            for (int j = grain + lane; j < end; j += 2 * LANES) {
              float x = at(a, 2 + i * STRIDE + j);
              float y = at(a, 2 + i * STRIDE + j + LANES);
              energy = Math.fma(x, x, energy);
              rest = Math.fma(y, y, rest);
            }
            int place = RowSurvey.at(i, (k + grain) / Tolerance.GRAIN) + lane;
            assertThat(survey.squares[place]).isEqualTo(energy + rest);
          }
        }
        for (int j = 0; j < width; j++) {
          assertThat(strip[(i + 1) * MicroKernel.STRIP_STRIDE + k + j])
              .isEqualTo(at(a, 2 + i * STRIDE + j));
        }
      }
    }
    assertThat(raw).isEqualTo(expected);
    for (int lane = 0; lane < WIDE_LANES; lane++) {
      assertThat(digests[WIDE_LANES + lane]).isEqualTo(digest[lane]);
    }
    assertThat(digests[0] | digests[2 * WIDE_LANES]).isZero();

    Strip.subtract(strip, second + k, MicroKernel.STRIP_STRIDE, rows, width, digests, WIDE_LANES);
    Strip.subtract(strip, second + k, MicroKernel.STRIP_STRIDE, rows, width, digests, WIDE_LANES);
    assertThat(Strip.isZero(digests, WIDE_LANES)).isTrue();
  }

  /** Rows that end anywhere, of one check block and of several; in two turns. */
  @ParameterizedTest(name = "{0} rows of {1}")
  @CsvSource({
    "1, 32", "5, 96", "24, 128", "25, 128", "1, 1", "3, 8", "24, 16", "48, 17", "50, 33", "72, 48",
    "30, 63", "26, 100", "24, 111", "23, 112", "49, 127", "256, 33"
  })
  void columnsAreAddedUp(int rows, int columns) {
    if (!VectorShapes.MACHINE_CODE) {
      return; // nothing is multiplied where it lies
    }
    MemorySegment words = floats(2 * rows * STRIDE);
    var factors = factors(2 * rows);
    var blocks = new Blocks();
    int checkBlocks = Math.ceilDiv(rows, CheckBlock.ROWS);
    int line = ColumnSums.PREDICTED;
    for (var kind : MachineColumnSums.Kind.values()) {
      var sums = new ColumnSums();
      var digests = new long[(checkBlocks + 2) * WIDE_LANES];
      boolean predicts = kind == MachineColumnSums.Kind.PREDICTED;
      MemorySegment from = predicts ? factors.memory : BlockPass.ALIGNED_SIGNS;
      for (int turn = 0; turn < 2; turn++) {
        int row = turn * rows;
        var raw = new long[SealLanes.RAW];
        blocks.below(words, 8 + 4L * row * STRIDE, 4L * STRIDE, rows, columns, raw);
        boolean scans = turn == 0;
        MachineColumnSums.add(
            kind,
            blocks,
            scans,
            from,
            row,
            sums.memory,
            ColumnSums.at(line, 64),
            digests,
            WIDE_LANES);
        for (int i = 0; scans && i < checkBlocks; i++) {
          int height = Math.min(CheckBlock.ROWS, rows - i * CheckBlock.ROWS);
          int first = 2 + i * CheckBlock.ROWS * STRIDE;
          assertSeal(blocks, i, words, first, STRIDE, height, columns);
        }
      }
      for (int j = 0; j < columns; j++) {
        assertSums(kind, words, 2 + j, STRIDE, 2 * rows, factors, sums, line, 64 + j);
      }
      for (int i = 0; i < ColumnSums.THREE; i++) {
        assertThat(sums.get(line + i, 63)).isZero();
        for (int j = columns; j <= CheckBlock.pitch(columns); j++) {
          assertThat(sums.get(line + i, 64 + j)).isZero();
        }
      }
      for (int i = 0; i < checkBlocks; i++) {
        int end = Math.min(rows, (i + 1) * CheckBlock.ROWS);
        var expected = new long[WIDE_LANES];
        for (int r = i * CheckBlock.ROWS; r < end; r++) {
          for (int j = 0; kind == MachineColumnSums.Kind.SIGNED && j < columns; j++) {
            long word =
                Integer.toUnsignedLong(Float.floatToRawIntBits(at(words, 2 + r * STRIDE + j)));
            expected[j / 2 % WIDE_LANES] -= word << (32 * (j % 2));
          }
        }
        int at = (i + 1) * WIDE_LANES;
        assertThat(Arrays.copyOfRange(digests, at, at + WIDE_LANES)).isEqualTo(expected);
      }
      assertThat(Arrays.copyOf(digests, WIDE_LANES)).containsOnly(0);
      assertThat(Arrays.copyOfRange(digests, digests.length - WIDE_LANES, digests.length))
          .containsOnly(0);
    }
  }

  @ParameterizedTest(name = "{0} steps, {1} panels")
  @CsvSource({"1, 1", "2, 4", "24, 3", "65, 2", "512, 4"})
  void columnsOfPanelsAreAddedUp(int depth, int count) {
    if (!VectorShapes.MACHINE_CODE) {
      return;
    }
    var packed = new PackedB(TILE_COLUMNS);
    packed.allocate(arena, depth, (long) count * TILE_COLUMNS);
    for (long i = 0; i < packed.panels().byteSize() / 4; i++) {
      packed.panels().setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
    }
    var place = new PanelPlace();
    place.keep(packed, 0, 0);
    var factors = factors(depth);
    var sums = new ColumnSums();
    var blocks = new Blocks().panels(place, depth, count);
    int line = ColumnSums.PREDICTED;
    var kind = MachineColumnSums.Kind.PREDICTED;
    int to = ColumnSums.at(line, 0);
    MachineColumnSums.add(
        kind, blocks, true, factors.memory, 0, sums.memory, to, new long[WIDE_LANES], 0);
    for (int i = 0; i < count; i++) {
      int first = Math.toIntExact(place.offset(i) / 4);
      for (int j = 0; j < TILE_COLUMNS; j++) {
        int column = i * TILE_COLUMNS + j;
        assertSums(
            kind, packed.panels(), first + j, TILE_COLUMNS, depth, factors, sums, line, column);
      }
      var seal = new long[Seal.SUMS];
      for (int j = 0; j < depth * TILE_COLUMNS; j++) {
        Seal.add(seal, 0, Float.floatToRawIntBits(at(packed.panels(), first + j)), j + 1);
      }
      var found = new long[Seal.SUMS];
      blocks.seal(i, found, 0);
      assertThat(found).isEqualTo(seal);
    }
    assertThat(sums.get(line, count * TILE_COLUMNS)).isZero();
  }

  /** As many check blocks as a workspace ever reads in a call, for their seals. */
  @Test
  void theMostBlocksAreScanned() {
    if (!VectorShapes.MACHINE_CODE) {
      return;
    }
    int rows = PackedB.DEPTH;
    MemorySegment words = floats(rows * STRIDE);
    var blocks = new Blocks().below(words, 8, 4L * STRIDE, rows, 33, new long[SealLanes.RAW]);
    var sums = new ColumnSums();
    var kind = MachineColumnSums.Kind.PREDICTED;
    int to = ColumnSums.at(ColumnSums.PREDICTED, 0);
    MachineColumnSums.add(
        kind, blocks, true, factors(rows).memory, 0, sums.memory, to, new long[WIDE_LANES], 0);
    for (int i = 0; i < blocks.count(); i++) {
      int height = Math.min(CheckBlock.ROWS, rows - i * CheckBlock.ROWS);
      assertSeal(blocks, i, words, 2 + i * CheckBlock.ROWS * STRIDE, STRIDE, height, 33);
    }
  }

  /** What does not lie within its memory is not read, and sums that have no place not written. */
  @Test
  void blocksOutsideAreRefused() {
    if (!VectorShapes.MACHINE_CODE) {
      return;
    }
    MemorySegment words = floats(49 * STRIDE);
    var sums = new ColumnSums();
    var digests = new long[3 * WIDE_LANES];
    int line = ColumnSums.at(ColumnSums.PREDICTED, 0);
    long last = words.byteSize() - 4L * STRIDE;
    refuse(below(words, last, 4L * STRIDE, 2, 128), sums, 0, line, digests);
    refuse(below(words, -4, 4L * STRIDE, 2, 128), sums, 0, line, digests);
    refuse(below(words, 0, words.byteSize(), 2, 128), sums, 0, line, digests);
    refuse(below(words, 0, 1L << 61, 9, 128), sums, 0, line, digests);
    refuse(below(words, 0, -4, 2, 128), sums, 0, line, digests);
    var good = below(words, 0, 4L * STRIDE, 49, 128);
    refuse(good, sums, sums.memory.byteSize() / 4 - 48, line, digests);
    refuse(good, sums, -1, line, digests);
    refuse(good, sums, 0, sums.memory.byteSize() / 4 - 127, digests);
    refuse(good, sums, 0, line, new long[3 * WIDE_LANES - 1]);
    good.rows = 0;
    refuse(good, sums, 0, line, digests);
    good.rows = 50;
    refuse(good, sums, 0, line, digests);
    good.rows = 49;
    good.height = 1;
    refuse(good, sums, 0, line, new long[49 * WIDE_LANES]); // no place for so many seals
    good.height = -1;
    refuse(good, sums, 0, line, digests);
    good.height = CheckBlock.ROWS;
    good.columns = 0;
    refuse(good, sums, 0, line, digests);
    assertThat(sums.get(ColumnSums.PREDICTED, 0)).isZero();
  }

  private static Blocks below(
      MemorySegment words, long offset, long stride, int rows, int columns) {
    return new Blocks().below(words, offset, stride, rows, columns, new long[SealLanes.RAW]);
  }

  private static void refuse(
      Blocks blocks, ColumnSums sums, long factor, long sum, long[] digests) {
    var kind = MachineColumnSums.Kind.SIGNED;
    assertThatThrownBy(() ->
            MachineColumnSums.add(
                kind, blocks, true, sums.memory, factor, sums.memory, sum, digests, 0))
        .isInstanceOfAny(IndexOutOfBoundsException.class, ArithmeticException.class);
  }

  private ColumnSums factors(int count) {
    var factors = new ColumnSums();
    for (int line = 0; line < ColumnSums.THREE; line++) {
      for (int k = 0; k < count; k++) {
        factors.memory.setAtIndex(
            ValueLayout.JAVA_FLOAT, ColumnSums.at(line, k), random.nextFloat() - 0.5f);
      }
    }
    return factors;
  }

  private void assertSums(
      MachineColumnSums.Kind kind,
      MemorySegment words,
      int first,
      int stride,
      int rows,
      ColumnSums factors,
      ColumnSums sums,
      int line,
      int column) {
    boolean predicts = kind == MachineColumnSums.Kind.PREDICTED;
    var expected = new float[ColumnSums.THREE];
    for (int i = 0; i < rows; i++) {
      float x = at(words, first + i * stride);
      float u = predicts ? factors.get(0, i) : BlockPass.SIGNS[i];
      expected[0] = Math.fma(u, x, expected[0]);
      if (kind == MachineColumnSums.Kind.SURVEYED) {
        expected[1] += x;
        expected[2] = Math.fma(x, x, expected[2]);
      } else if (predicts) {
        expected[1] = Math.fma(factors.get(1, i), x, expected[1]);
        expected[2] = Math.fma(x * factors.get(2, i), x, expected[2]);
      }
    }
    for (int i = 0; i < ColumnSums.THREE; i++) {
      assertThat(sums.get(line + i, column))
          .as("%s, sum %d of column %d", kind, i, column)
          .isEqualTo(expected[i]);
    }
  }

  private void assertSeal(
      Blocks blocks, int block, MemorySegment words, int first, int stride, int rows, int columns) {
    var seal = new long[Seal.SUMS];
    int pitch = CheckBlock.pitch(columns);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        int word = Float.floatToRawIntBits(at(words, first + i * stride + j));
        Seal.add(seal, 0, word, i * pitch + j + 1);
      }
    }
    var found = new long[Seal.SUMS];
    blocks.seal(block, found, 0);
    assertThat(found).as("block %d", block).isEqualTo(seal);
  }

  @ParameterizedTest(name = "{0} rows of {1}")
  @CsvSource({"1, 128", "4, 32", "3, 96"})
  void storedRowsAreSummedUpWithSigns(int rows, int width) {
    MemorySegment c = floats(4 * STRIDE);
    int pattern = 1;
    var raw = new long[SealLanes.RAW];
    var digests = new long[2 * WIDE_LANES];
    var lanes = new float[rows * LANES];
    BlockPass.show(c, 8, 4L * STRIDE, rows, width, pattern, raw, digests, WIDE_LANES, lanes);
    var expected = new long[SealLanes.RAW];
    var digest = new long[WIDE_LANES];
    for (int i = 0; i < rows; i++) {
      chain(c, 2 + i * STRIDE, width, expected, digest);
      for (int lane = 0; lane < LANES; lane++) {
        float t = 0;
        float u = 0;
        for (int j = lane; j < width; j += 2 * LANES) {
          int sign = pattern * CheckBlock.COLUMNS + j;
          t = Math.fma(at(c, 2 + i * STRIDE + j), BlockPass.SIGNS[sign], t);
          u = Math.fma(at(c, 2 + i * STRIDE + j + LANES), BlockPass.SIGNS[sign + LANES], u);
        }
        assertThat(lanes[i * LANES + lane]).isEqualTo(t + u);
      }
    }
    assertThat(raw).isEqualTo(expected);
    for (int lane = 0; lane < WIDE_LANES; lane++) {
      assertThat(digests[WIDE_LANES + lane]).isEqualTo(-digest[lane]);
    }
  }

  @ParameterizedTest(name = "{0} rows, {1} steps")
  @CsvSource({"1, 1", "2, 7", "3, 8", "4, 31", "1, 32", "3, 63", "3, 100", "2, 127", "4, 133"})
  void rowsAreMultipliedWithACheckVector(int rows, int depth) {
    MemorySegment a = floats(4 * STRIDE);
    var vectors = new float[3 + MicroKernel.STRIP_STRIDE];
    for (int k = 0; k < depth; k++) {
      vectors[3 + k] = (float) Math.sin(k + 1);
    }
    var survey = new RowSurvey();
    var weights = new float[2 + depth];
    for (int i = 0; i < survey.squares.length; i++) {
      survey.squares[i] = i % 7;
    }
    for (int i = 0; i < weights.length; i++) {
      weights[i] = 1 + i;
    }
    var lanes = new float[(rows + 1) * LANES];
    var sums = new double[1 + 3 * rows];
    Arrays.fill(sums, 1);
    var spreads = new double[rows + 1];
    spreads[rows] = 77;
    long stride = 4L * STRIDE;
    Prediction.predict(
        a, 8, stride, rows, depth, vectors, 3, survey, weights, 2, sums, 1, 3, spreads, lanes);
    for (int i = 0; i < rows; i++) {
      double exact = 0;
      double size = 0;
      for (int k = 0; k < depth; k++) {
        double term = (double) at(a, 2 + i * STRIDE + k) * vectors[3 + k];
        exact += term;
        size += Math.abs(term);
      }
      // A product passes at most 9 steps in its lane and 5 additions of lanes in float32.
      assertThat(sums[1 + 3 * i]).isCloseTo(1 + exact, within((1 + size) * 16 * Tolerance.U));
      assertThat(sums[2 + 3 * i]).isEqualTo(1);
      assertThat(sums[3 + 3 * i]).isEqualTo(1);
      double spread = 0;
      for (int j = 0; j < Math.ceilDiv(depth, Tolerance.GRAIN) * LANES; j++) {
        spread += survey.squares[RowSurvey.at(i, 0) + j] * weights[2 + j / LANES];
      }
      assertThat(spreads[i]).isEqualTo(spread);
    }
    assertThat(sums[0]).isEqualTo(1);
    assertThat(spreads[rows]).isEqualTo(77);
  }

  @Test
  void lanesAreAddedUp() {
    var lanes = new float[4 * LANES];
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = i * 0.25f;
    }
    var sums = new double[12];
    Arrays.fill(sums, 1);
    BlockPass.addUp(lanes, 3, sums, 1, 4);
    for (int i = 0; i < sums.length; i++) {
      double sum = 1;
      for (int lane = 0; i % 4 == 1 && lane < LANES; lane++) {
        sum += lanes[i / 4 * LANES + lane];
      }
      assertThat(sums[i]).isEqualTo(sum);
    }
  }

  /** One row, chunks of rows that end evenly and not, one panel and a check block of them. */
  @ParameterizedTest
  @CsvSource({"1, 1", "77, 1", "128, 8", "129, 2", "160, 16", "511, 1"})
  void packedRowsAreSurveyed(int depth, int wanted) {
    int count = Math.min(wanted, CheckBlock.COLUMNS / TILE_COLUMNS);
    int from = count == CheckBlock.COLUMNS / TILE_COLUMNS ? 0 : 1;
    MemorySegment source = floats(depth * STRIDE);
    int signs = CheckBlock.COLUMNS + from * TILE_COLUMNS;
    var survey = new PanelCopy.Survey();
    survey.open(depth);
    var raw = new long[count * SealLanes.RAW];
    var packed = new PackedB(TILE_COLUMNS);
    packed.allocate(arena, depth, CheckBlock.COLUMNS);
    var place = new PanelPlace();
    place.keep(packed, 0, 0);
    PanelCopy.checked(source, 8, 4L * STRIDE, place, from, count, depth, signs, survey, raw);
    var expected = new long[count][SealLanes.RAW];
    var plain = new float[LANES];
    var total = new float[LANES];
    for (int first = 0; first < depth; first += PanelCopy.chunk(depth)) {
      for (int panel = 0; panel < count; panel++) {
        for (int k = first; k < Math.min(depth, first + PanelCopy.chunk(depth)); k++) {
          int at = 2 + k * STRIDE + panel * TILE_COLUMNS;
          chain(source, at, TILE_COLUMNS, expected[panel], new long[WIDE_LANES]);
          int to = (int) place.offset(from + panel) / 4 + k * TILE_COLUMNS;
          for (int lane = 0; lane < LANES; lane++) {
            float x = at(source, at + lane);
            float y = at(source, at + lane + LANES);
            plain[lane] = plain[lane] + x + y;
            total[lane] = Math.fma(y, y, Math.fma(x, x, total[lane]));
            assertThat(at(place.memory(), to + lane)).isEqualTo(x);
            assertThat(at(place.memory(), to + LANES + lane)).isEqualTo(y);
          }
        }
      }
    }
    for (int k = 0; k < depth; k++) {
      for (int lane = 0; lane < LANES; lane++) {
        float signed = 0;
        float squares = 0;
        for (int i = 0; i < 2 * count; i++) {
          float x = at(source, 2 + k * STRIDE + i * LANES + lane);
          signed = Math.fma(x, BlockPass.SIGNS[signs + i * LANES + lane], signed);
          squares = Math.fma(x, x, squares);
        }
        assertThat(survey.signed[k * LANES + lane]).isEqualTo(signed);
        assertThat(survey.squares[k * LANES + lane]).isEqualTo(squares);
      }
    }
    assertThat(survey.plain).isEqualTo(plain);
    assertThat(survey.total).isEqualTo(total);
    for (int panel = 0; panel < count; panel++) {
      long[] of = Arrays.copyOfRange(raw, panel * SealLanes.RAW, (panel + 1) * SealLanes.RAW);
      assertThat(of).isEqualTo(expected[panel]);
    }
    var plainly = new PanelPlace();
    plainly.pass(packed, 0);
    PanelCopy.copy(source, 8, 4L * STRIDE, plainly, from, count, depth);
    for (int panel = from; panel < from + count; panel++) {
      long bytes = 4L * depth * TILE_COLUMNS;
      assertThat(
              plainly
                  .memory()
                  .asSlice(plainly.offset(panel), bytes)
                  .mismatch(place.memory().asSlice(place.offset(panel), bytes)))
          .isEqualTo(-1);
    }
    plainly.close();
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "3, 16", "2, 48", "3, 53", "24, 100", "4, 127", "2, 120"})
  void shortRowsAreFilledUp(int rows, int columns) {
    MemorySegment memory = floats(rows * STRIDE);
    int row = (int) BlockPass.STAGED_STRIDE / 4;
    MemorySegment staged = floats((rows + 1) * row);
    var raw = new long[SealLanes.RAW];
    float[] expected = staged.toArray(ValueLayout.JAVA_FLOAT);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < CheckBlock.pitch(columns); j++) {
        expected[i * row + j] = j < columns ? at(memory, 2 + i * STRIDE + j) : 0;
      }
    }
    BlockPass.stage(memory, 8, 4L * STRIDE, rows, columns, staged, raw);
    assertThat(staged.toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(expected);
    assertThatThrownBy(
            () -> BlockPass.stage(memory, 8, 4L * STRIDE, rows + 1, columns, staged, raw))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> BlockPass.stage(memory, -4, 4L * STRIDE, rows, columns, staged, raw))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void rowsOutsideAreRefused() {
    MemorySegment a = floats(4 * STRIDE);
    var strip = new float[VectorShapes.TILE_ROWS * MicroKernel.STRIP_STRIDE + LANES];
    var raw = new long[SealLanes.RAW];
    var digests = new long[WIDE_LANES];
    for (long offset : new long[] {-4, 4L * 4 * STRIDE, Long.MAX_VALUE, 1L << 62}) {
      assertThatThrownBy(() ->
              Strip.copyBlock(a, offset, 4, 2, 128, strip, 0, 0, raw, digests, 0, new RowSurvey()))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> BlockPass.scan(a, offset, 4, 2, 128, raw))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> predict(a, offset, 2, new double[2], new double[2]))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
    var survey = new RowSurvey();
    var higher = new float[(CheckBlock.ROWS + 1) * MicroKernel.STRIP_STRIDE + LANES];
    int rows = CheckBlock.ROWS + 1;
    assertThatThrownBy(
            () -> Strip.copyBlock(a, 0, 4, rows, 128, higher, 0, 0, raw, digests, 0, survey))
        .isInstanceOf(IndexOutOfBoundsException.class);
    int tall = VectorShapes.TILE_ROWS + 1;
    assertThatThrownBy(
            () -> Strip.copyBlock(a, 0, 4, tall, 128, strip, 0, 0, raw, digests, 0, survey))
        .isInstanceOf(IndexOutOfBoundsException.class);
    var two = new double[2];
    assertThatThrownBy(() -> predict(a, 0, 3, two, new double[3]))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> predict(a, 0, 3, new double[3], two))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> BlockPass.addUp(new float[3 * LANES], 3, two, 0, 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> BlockPass.addUp(new float[LANES], 2, two, 0, 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  private static void predict(
      MemorySegment a, long offset, int rows, double[] predicted, double[] spreads) {
    Prediction.predict(
        a,
        offset,
        4,
        rows,
        64,
        new float[64],
        0,
        new RowSurvey(),
        new float[1],
        0,
        predicted,
        0,
        1,
        spreads,
        new float[(rows + 1) * LANES]);
  }

  /** The running sums of {@link SealLanes}, over whole vectors, and their plain sum. */
  private static void chain(MemorySegment words, int from, int width, long[] raw, long[] digest) {
    for (int v = 0; v < width; v += LANES) {
      for (int lane = 0; lane < WIDE_LANES; lane++) {
        long low = Float.floatToRawIntBits(at(words, from + v + 2 * lane));
        long high = Float.floatToRawIntBits(at(words, from + v + 2 * lane + 1));
        long word = (low & 0xFFFF_FFFFL) | high << 32;
        digest[lane] += word;
        long more = word;
        for (int sum = 0; sum < 3; sum++) {
          raw[sum * WIDE_LANES + lane] += more;
          more = raw[sum * WIDE_LANES + lane];
        }
        more = word >>> 32;
        for (int sum = 3; sum < 6; sum++) {
          raw[sum * WIDE_LANES + lane] += more;
          more = raw[sum * WIDE_LANES + lane];
        }
      }
    }
  }

  private MemorySegment floats(int count) {
    MemorySegment memory = arena.allocate(4L * count, 64);
    for (int i = 0; i < count; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
    }
    return memory;
  }

  private static float at(MemorySegment memory, int index) {
    return memory.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }
}
