package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.CHECKING_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.checksum.Digest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel that this JVM may use, against a scalar loop: tiles, C, digests, panel sums. */
class MicroKernelTest {
  private static final int[] DEPTHS = {1, 2, 3, 4, 5, 8, 127, 128, 130, 512};
  private static final int PANELS = 3;

  /** What lies around that must not be written. */
  private static final float UNTOUCHED = -77;

  record Kind(int rows, boolean continues, boolean checks, boolean finishes) {}

  static Stream<Kind> kinds() {
    return IntStream.rangeClosed(1, TILE_ROWS)
        .boxed()
        .flatMap(rows ->
            IntStream.range(0, 8)
                .mapToObj(i -> new Kind(rows, (i & 1) != 0, (i & 2) != 0, (i & 4) != 0)))
        .filter(kind -> !kind.checks() || kind.rows() <= CHECKING_ROWS);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void aSweepIsTheScalarLoop(Kind kind) {
    var random = new SplittableRandom(kind.hashCode());
    for (int depth : DEPTHS) {
      sweep(kind, depth, random);
    }
  }

  private static void sweep(Kind kind, int depth, SplittableRandom random) {
    int rows = kind.rows();
    // Panels lie further apart than they are long, as those of several k-blocks do.
    int gap = 5;
    int panelFloats = depth * TILE_COLUMNS;
    long stride = 4L * (depth + gap) * TILE_COLUMNS;
    long offset = 4L * TILE_COLUMNS;
    float[] strip = floats(random, TILE_ROWS * MicroKernel.STRIP_STRIDE);
    float[] tiles = floats(random, 2 * PANELS * TILE);
    float[] before = tiles.clone();
    int from = PANELS * TILE;
    var digests = new long[3 * WIDE_LANES];
    digests[WIDE_LANES] = 5;
    var sums = new long[PANELS * Digest.SUMS * WIDE_LANES];
    int cStride = PANELS * TILE_COLUMNS + 3;
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(offset + PANELS * stride, 64);
      for (long i = 0; i < panels.byteSize() / 4; i++) {
        panels.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
      }
      MemorySegment c = arena.allocate(4L * (1 + TILE_ROWS * cStride), 64);
      for (long i = 0; i < c.byteSize() / 4; i++) {
        c.setAtIndex(ValueLayout.JAVA_FLOAT, i, UNTOUCHED);
      }
      MicroKernels.of(rows, kind.continues(), kind.checks(), kind.finishes())
          .sweep(
              strip,
              panels,
              offset,
              stride,
              PANELS,
              depth,
              tiles,
              from,
              0,
              digests,
              WIDE_LANES,
              stride,
              sums,
              kind.finishes() ? c : MemorySegment.NULL,
              4,
              4L * cStride);

      var digest = new long[WIDE_LANES];
      digest[0] = 5;
      for (int panel = 0; panel < PANELS; panel++) {
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < TILE_COLUMNS; j++) {
            int at = panel * TILE + i * TILE_COLUMNS + j;
            float sum = kind.continues() ? before[from + at] : 0;
            for (int k = 0; k < depth; k++) {
              long word = offset + panel * stride + 4L * (k * TILE_COLUMNS + j);
              float b = panels.get(ValueLayout.JAVA_FLOAT, word);
              sum = Math.fma(strip[i * MicroKernel.STRIP_STRIDE + k], b, sum);
            }
            int place = 1 + i * cStride + panel * TILE_COLUMNS + j;
            float inC = c.getAtIndex(ValueLayout.JAVA_FLOAT, place);
            assertThat(kind.finishes() ? inC : tiles[at]).as("depth %d", depth).isEqualTo(sum);
            assertThat(kind.finishes() ? tiles[at] : inC)
                .isEqualTo(kind.finishes() ? before[at] : UNTOUCHED);
            digest[j / 2 % WIDE_LANES] +=
                Integer.toUnsignedLong(Float.floatToRawIntBits(sum)) << (32 * (j % 2));
          }
        }
        if (kind.checks()) {
          var expected = new long[Digest.SUMS * WIDE_LANES];
          Digest.of(panels, offset + panel * stride, panelFloats, WIDE_LANES, expected, 0);
          int at = panel * expected.length;
          assertThat(Arrays.copyOfRange(sums, at, at + expected.length)).isEqualTo(expected);
        }
      }
      assertThat(Arrays.copyOfRange(digests, WIDE_LANES, 2 * WIDE_LANES))
          .as("depth %d", depth)
          .isEqualTo(digest);
      assertThat(digests[0]).isZero();
      assertThat(digests[2 * WIDE_LANES]).isZero();
      for (int at = 0; at < tiles.length; at++) {
        if (kind.finishes() || at >= from || at % TILE >= rows * TILE_COLUMNS) {
          assertThat(tiles[at]).isEqualTo(before[at]);
        }
      }
      for (int at = 0; at < c.byteSize() / 4; at++) {
        int row = Math.floorDiv(at - 1, cStride);
        int column = Math.floorMod(at - 1, cStride);
        boolean written = row >= 0 && row < rows && column < PANELS * TILE_COLUMNS;
        if (!kind.finishes() || !written) {
          assertThat(c.getAtIndex(ValueLayout.JAVA_FLOAT, at)).isEqualTo(UNTOUCHED);
        }
      }
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void nothingIsSweptWithoutPanels(Kind kind) {
    MicroKernels.of(kind.rows(), kind.continues(), kind.checks(), kind.finishes())
        .sweep(
            new float[1],
            MemorySegment.NULL,
            0,
            0,
            0,
            128,
            new float[1],
            0,
            0,
            new long[WIDE_LANES],
            0,
            0,
            new long[1],
            MemorySegment.NULL,
            0,
            0);
  }

  @Test
  void indicesOutsideAreRefused() {
    var kernel = MicroKernels.of(2, true, false, false);
    int enough = 2 * MicroKernel.STRIP_STRIDE + VectorShapes.LANES;
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(4L * 2 * 64 * TILE_COLUMNS, 64);
      for (long[] wrong :
          new long[][] {
            {4, 0, 2},
            {-4, 0, 2},
            {1L << 40, 0, 1},
            {0, 2 * TILE - 2 * TILE_COLUMNS + 1, 1},
            {0, -1, 1},
            {0, 1 << 28, 1},
            {0, 0, 3}
          }) {
        assertThatThrownBy(() ->
                kernel.sweep(
                    new float[enough],
                    panels,
                    wrong[0],
                    4L * 64 * TILE_COLUMNS,
                    (int) wrong[2],
                    64,
                    new float[2 * TILE],
                    (int) wrong[1],
                    0,
                    new long[WIDE_LANES],
                    0,
                    0,
                    new long[1],
                    MemorySegment.NULL,
                    0,
                    0))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
    }
  }

  private static float[] floats(SplittableRandom random, int count) {
    var floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) random.nextDouble(-2, 2);
    }
    return floats;
  }
}
