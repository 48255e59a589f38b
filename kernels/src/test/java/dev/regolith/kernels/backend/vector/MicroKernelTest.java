package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.CHECKING_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.backend.vector.MicroKernel.Into;
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

  /** From one row of C to the next. */
  private static final int C_ROW = PANELS * TILE_COLUMNS + 3;

  record Kind(int rows, boolean continues, boolean checks, Into into) {
    MicroKernel kernel() {
      return MicroKernels.of(rows, continues, checks, into);
    }

    /** Whether it takes several strips. */
    boolean repeats() {
      return !checks && into != Into.C;
    }
  }

  static Stream<Kind> kinds() {
    return IntStream.rangeClosed(1, TILE_ROWS)
        .boxed()
        .flatMap(rows ->
            Stream.of(Into.values())
                .flatMap(into ->
                    IntStream.range(0, 4)
                        .mapToObj(i -> new Kind(rows, (i & 1) != 0, (i & 2) != 0, into))))
        .filter(kind -> !kind.checks() || kind.rows() <= CHECKING_ROWS)
        .filter(kind -> !kind.continues() || kind.into() != Into.ROWS);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void aSweepIsTheScalarLoop(Kind kind) {
    var random = new SplittableRandom(kind.hashCode());
    for (int depth : DEPTHS) {
      sweep(kind, 1, depth, random);
      if (kind.repeats()) {
        sweep(kind, 3, depth, random);
      }
    }
  }

  /** Where a sweep leaves one number: tiles and rows in an array, or C. */
  private static int place(Kind kind, int step, int strip, int panel, int i, int j) {
    return switch (kind.into()) {
      case TILES -> strip * step + panel * TILE + i * TILE_COLUMNS + j;
      case ROWS -> strip * step + i * MicroKernel.ROW + panel * TILE_COLUMNS + j;
      case C -> 1 + i * C_ROW + panel * TILE_COLUMNS + j;
    };
  }

  private static void sweep(Kind kind, int strips, int depth, SplittableRandom random) {
    int rows = kind.rows();
    // Panels lie further apart than they are long, as those of several k-blocks do.
    int gap = 5;
    int panelFloats = depth * TILE_COLUMNS;
    long stride = 4L * (depth + gap) * TILE_COLUMNS;
    long offset = 4L * TILE_COLUMNS;
    int first = kind.repeats() ? 3 * MicroKernel.STRIP_STRIDE : 0;
    float[] a = floats(random, first + strips * rows * MicroKernel.STRIP_STRIDE);
    boolean inRows = kind.into() == Into.ROWS;
    int step = inRows ? rows * MicroKernel.ROW : PANELS * TILE + 7;
    int room = strips * Math.max(step, rows * MicroKernel.ROW);
    float[] tiles = floats(random, 2 * room);
    float[] before = tiles.clone();
    int from = room;
    var digests = new long[3 * WIDE_LANES];
    digests[WIDE_LANES] = 5;
    var sums = new long[PANELS * Digest.SUMS * WIDE_LANES];
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(offset + PANELS * stride, 64);
      for (long i = 0; i < panels.byteSize() / 4; i++) {
        panels.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
      }
      MemorySegment c = arena.allocate(4L * (1 + TILE_ROWS * C_ROW), 64);
      for (long i = 0; i < c.byteSize() / 4; i++) {
        c.setAtIndex(ValueLayout.JAVA_FLOAT, i, UNTOUCHED);
      }
      kind.kernel()
          .sweep(
              a,
              first,
              strips,
              panels,
              offset,
              stride,
              PANELS,
              depth,
              tiles,
              from,
              0,
              step,
              digests,
              WIDE_LANES,
              stride,
              sums,
              kind.into() == Into.C ? c : MemorySegment.NULL,
              4,
              4L * C_ROW);

      float[] expected = before.clone();
      var expectedC = new float[(int) (c.byteSize() / 4)];
      Arrays.fill(expectedC, UNTOUCHED);
      var digest = new long[WIDE_LANES];
      digest[0] = 5;
      for (int strip = 0; strip < strips; strip++) {
        for (int panel = 0; panel < PANELS; panel++) {
          for (int i = 0; i < rows; i++) {
            for (int j = 0; j < TILE_COLUMNS; j++) {
              int tile = strip * step + panel * TILE + i * TILE_COLUMNS + j;
              float sum = kind.continues() ? before[from + tile] : 0;
              for (int k = 0; k < depth; k++) {
                long word = offset + panel * stride + 4L * (k * TILE_COLUMNS + j);
                float b = panels.get(ValueLayout.JAVA_FLOAT, word);
                int row = strip * rows + i;
                sum = Math.fma(a[first + row * MicroKernel.STRIP_STRIDE + k], b, sum);
              }
              float[] results = kind.into() == Into.C ? expectedC : expected;
              results[place(kind, step, strip, panel, i, j)] = sum;
              digest[j / 2 % WIDE_LANES] +=
                  Integer.toUnsignedLong(Float.floatToRawIntBits(sum)) << (32 * (j % 2));
            }
          }
        }
      }
      assertThat(tiles).as("depth %d, %d strips", depth, strips).isEqualTo(expected);
      assertThat(c.toArray(ValueLayout.JAVA_FLOAT)).as("depth %d", depth).isEqualTo(expectedC);
      for (int panel = 0; kind.checks() && panel < PANELS; panel++) {
        var expectedSums = new long[Digest.SUMS * WIDE_LANES];
        Digest.of(panels, offset + panel * stride, panelFloats, WIDE_LANES, expectedSums, 0);
        int at = panel * expectedSums.length;
        assertThat(Arrays.copyOfRange(sums, at, at + expectedSums.length)).isEqualTo(expectedSums);
      }
      assertThat(Arrays.copyOfRange(digests, WIDE_LANES, 2 * WIDE_LANES))
          .as("depth %d", depth)
          .isEqualTo(digest);
      assertThat(digests[0]).isZero();
      assertThat(digests[2 * WIDE_LANES]).isZero();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void nothingIsSweptWithoutPanels(Kind kind) {
    kind.kernel()
        .sweep(
            new float[1],
            0,
            1,
            MemorySegment.NULL,
            0,
            0,
            0,
            128,
            new float[1],
            0,
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
    var kernel = MicroKernels.of(2, true, false, Into.TILES);
    int enough = 2 * MicroKernel.STRIP_STRIDE + VectorShapes.LANES;
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(4L * 2 * 64 * TILE_COLUMNS, 64);
      for (long[] wrong :
          new long[][] {
            {4, 0, 2, 1},
            {-4, 0, 2, 1},
            {1L << 40, 0, 1, 1},
            {0, 2 * TILE - 2 * TILE_COLUMNS + 1, 1, 1},
            {0, -1, 1, 1},
            {0, 1 << 28, 1, 1},
            {0, 0, 3, 1},
            {0, 0, 2, 2}
          }) {
        assertThatThrownBy(() ->
                kernel.sweep(
                    new float[enough],
                    0,
                    (int) wrong[3],
                    panels,
                    wrong[0],
                    4L * 64 * TILE_COLUMNS,
                    (int) wrong[2],
                    64,
                    new float[2 * TILE],
                    (int) wrong[1],
                    0,
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
