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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel that this JVM may use, against a scalar loop: tiles, C, digests, panel sums. */
@Tag("machine")
class MicroKernelTest {
  private static final int[] DEPTHS = {
    0, 1, 2, 3, 4, 5, 8, 16, 17, 23, 24, 25, 28, 127, 128, 130, 255, 256, 269, 512
  };

  private static final int PANELS = 8;

  /** Kernels of few rows read up to four abreast, in up to two rounds here. */
  private static final int[] COUNTS = {1, 2, 3, 4, 7, PANELS};

  /** What lies around that must not be written. */
  private static final float UNTOUCHED = -77;

  /** From one row of C to the next. */
  private static final int C_ROW = PANELS * TILE_COLUMNS + 3;

  record Kind(int rows, boolean continues, boolean checks, Into into, boolean far) {
    MicroKernel kernel() {
      return MicroKernels.of(rows, continues, checks, into, far);
    }

    /** Whether it takes several strips. */
    boolean repeats() {
      return !checks && !(continues && into == Into.C);
    }

    /** What it may be told of what is read soon: it must not matter. */
    long ahead(long stride, SplittableRandom random) {
      return AbreastKernelWriter.serves(rows, far) ? random.nextLong() : stride;
    }
  }

  static Stream<Kind> kinds() {
    return IntStream.rangeClosed(1, TILE_ROWS)
        .boxed()
        .flatMap(rows ->
            Stream.of(Into.values())
                .flatMap(into ->
                    IntStream.range(0, 8)
                        .mapToObj(
                            i -> new Kind(rows, (i & 1) != 0, (i & 2) != 0, into, (i & 4) != 0))))
        .filter(kind -> !kind.checks() || kind.rows() <= CHECKING_ROWS)
        .filter(kind -> !kind.continues() || kind.into() != Into.ROWS)
        .filter(kind ->
            !kind.far()
                || AbreastKernelWriter.serves(kind.rows(), true)
                    != AbreastKernelWriter.serves(kind.rows(), false));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void aSweepIsTheScalarLoop(Kind kind) {
    var random = new SplittableRandom(kind.hashCode());
    int most = kind.into() == Into.ROWS ? MicroKernel.ROW / TILE_COLUMNS : PANELS;
    for (int depth : DEPTHS) {
      for (int count : COUNTS) {
        if (count <= most) {
          sweep(kind, 1, count, depth, random);
        }
        if (count <= most && kind.repeats()) {
          sweep(kind, 3, count, depth, random);
        }
      }
    }
  }

  /** Panels that are read abreast have room on the stack, and every round has one. */
  @Test
  void roundsHaveNoMorePanelsThanThereIsRoomFor() {
    for (int count = 1; count <= 100; count++) {
      for (int depth = 0; depth <= 512; depth++) {
        int rounds = Math.toIntExact(MachineKernel.rounds(count, depth));
        assertThat(rounds).isBetween(1, count);
        assertThat(Math.ceilDiv(count, rounds)).isBetween(1, AbreastKernelWriter.PANELS);
      }
    }
    assertThat(Math.ceilDiv(8, MachineKernel.rounds(8, 512))).isEqualTo(4);
  }

  /** Where a sweep leaves one number: tiles and rows in an array, or C. */
  private static int place(Kind kind, int step, int strip, int panel, int i, int j) {
    return switch (kind.into()) {
      case TILES -> strip * step + panel * TILE + i * TILE_COLUMNS + j;
      case ROWS -> strip * step + i * MicroKernel.ROW + panel * TILE_COLUMNS + j;
      case C -> 1 + (strip * kind.rows() + i) * C_ROW + panel * TILE_COLUMNS + j;
    };
  }

  private static void sweep(Kind kind, int strips, int count, int depth, SplittableRandom random) {
    int rows = kind.rows();
    // Panels lie further apart than they are long, as those of several k-blocks do.
    int gap = 5;
    int panelFloats = depth * TILE_COLUMNS;
    long stride = 4L * (depth + gap) * TILE_COLUMNS;
    long offset = 4L * TILE_COLUMNS;
    int first = 3 * MicroKernel.STRIP_STRIDE;
    float[] a = floats(random, first + strips * rows * MicroKernel.STRIP_STRIDE);
    boolean inRows = kind.into() == Into.ROWS;
    int step = inRows ? rows * MicroKernel.ROW : count * TILE + 7;
    int room = strips * Math.max(step, rows * MicroKernel.ROW);
    float[] tiles = floats(random, 2 * room);
    float[] before = tiles.clone();
    int from = room;
    var digests = new long[3 * WIDE_LANES];
    digests[WIDE_LANES] = 5;
    var sums = new long[count * Digest.SUMS * WIDE_LANES];
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(offset + count * stride, 64);
      for (long i = 0; i < panels.byteSize() / 4; i++) {
        panels.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
      }
      MemorySegment c = arena.allocate(4L * (1 + strips * TILE_ROWS * C_ROW), 64);
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
              count,
              depth,
              tiles,
              from,
              0,
              step,
              digests,
              WIDE_LANES,
              kind.ahead(stride, random),
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
        for (int panel = 0; panel < count; panel++) {
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
      for (int panel = 0; kind.checks() && panel < count; panel++) {
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

  /** A sweep with 64 steps, of which one number may be wrong. */
  private record Sweep(
      int aRows, int at, int strips, long offset, int count, int from, int to, int step) {
    static final int DEPTH = 64;

    void run(MicroKernel kernel, MemorySegment panels, int floats) {
      kernel.sweep(
          new float[aRows * MicroKernel.STRIP_STRIDE],
          at,
          strips,
          panels,
          offset,
          4L * DEPTH * TILE_COLUMNS,
          count,
          DEPTH,
          new float[floats],
          from,
          to,
          step,
          new long[WIDE_LANES],
          0,
          0,
          new long[Digest.SUMS * WIDE_LANES],
          MemorySegment.NULL,
          0,
          0);
    }
  }

  @Test
  void indicesOutsideAreRefused() {
    var kernel = MicroKernels.of(2, true, false, Into.TILES, false);
    int end = 4 * TILE; // of two strips with two panels each, side by side
    int last = 3 * TILE + 2 * TILE_COLUMNS; // what of that is used
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(4L * 2 * Sweep.DEPTH * TILE_COLUMNS, 64);
      new Sweep(4, 0, 2, 0, 2, 0, 0, 2 * TILE).run(kernel, panels, end);
      for (Sweep wrong :
          new Sweep[] {
            new Sweep(4, 0, 2, 4, 2, 0, 0, 2 * TILE),
            new Sweep(4, 0, 2, -4, 2, 0, 0, 2 * TILE),
            new Sweep(4, 0, 2, 1L << 40, 1, 0, 0, 2 * TILE),
            new Sweep(4, 0, 2, 0, 3, 0, 0, 2 * TILE),
            new Sweep(4, 0, 2, 0, 2, end - last + 1, 0, 2 * TILE),
            new Sweep(4, 0, 2, 0, 2, -1, 0, 2 * TILE),
            new Sweep(4, 0, 2, 0, 2, 1 << 28, 0, 2 * TILE),
            new Sweep(4, 0, 2, 0, 2, 0, end - last + 1, 2 * TILE),
            new Sweep(4, 0, 2, 0, 2, 0, -1, 2 * TILE),
            new Sweep(4, 0, 2, 0, 2, 0, 0, end - last + 2 * TILE + 1),
            new Sweep(4, 0, 2, 0, 2, 0, 0, -1),
            new Sweep(4, 0, 3, 0, 2, 0, 0, 0),
            new Sweep(3, 0, 2, 0, 2, 0, 0, 2 * TILE),
            new Sweep(4, -1, 2, 0, 2, 0, 0, 2 * TILE)
          }) {
        assertThatThrownBy(() -> wrong.run(kernel, panels, end))
            .as(wrong.toString())
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
    }
  }

  @Test
  void rowsAreNoLongerThanTheyAre() {
    var kernel = MicroKernels.of(2, false, false, Into.ROWS, false);
    int full = MicroKernel.ROW / TILE_COLUMNS;
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(4L * (full + 1) * Sweep.DEPTH * TILE_COLUMNS, 64);
      int step = 2 * MicroKernel.ROW;
      new Sweep(4, 0, 2, 0, full, 0, 0, step).run(kernel, panels, 2 * step);
      for (Sweep wrong :
          new Sweep[] {
            new Sweep(4, 0, 2, 0, full, 0, 1, step), new Sweep(4, 0, 2, 0, full, 0, 0, step + 1)
          }) {
        assertThatThrownBy(() -> wrong.run(kernel, panels, 2 * step))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
      if (VectorShapes.MACHINE_CODE) { // bytecode would write into the next row, within the array
        assertThatThrownBy(
                () -> new Sweep(4, 0, 2, 0, full + 1, 0, 0, step).run(kernel, panels, 3 * step))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
    }
  }

  @Test
  void rowsBeyondCAreRefused() {
    var kernel = MicroKernels.of(2, false, false, Into.C, false);
    var a = new float[6 * MicroKernel.STRIP_STRIDE];
    long row = 4L * TILE_COLUMNS;
    try (var arena = Arena.ofConfined()) {
      MemorySegment panel = arena.allocate(row, 64);
      for (int rows : new int[] {3, 4, 5, 6}) {
        MemorySegment c = arena.allocate(rows * row, 64);
        int strips = rows / 2;
        sweep(kernel, a, strips, panel, c, 0, row);
        int more = strips + 1;
        assertThatThrownBy(() -> sweep(kernel, a, more, panel, c, 0, row))
            .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> sweep(kernel, a, strips, panel, c, 0, 6 * row))
            .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> sweep(kernel, a, strips, panel, c, -4, row))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
    }
  }

  private static void sweep(
      MicroKernel kernel,
      float[] a,
      int strips,
      MemorySegment panel,
      MemorySegment c,
      long cAt,
      long cStride) {
    kernel.sweep(
        a,
        0,
        strips,
        panel,
        0,
        0,
        1,
        1,
        new float[1],
        0,
        0,
        0,
        new long[WIDE_LANES],
        0,
        0,
        new long[1],
        c,
        cAt,
        cStride);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void aKernelRefusesStripsItCannotTake(Kind kind) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment panels = arena.allocate(4L * Sweep.DEPTH * TILE_COLUMNS, 64);
      for (int strips : kind.repeats() ? new int[] {0, -1} : new int[] {0, 2}) {
        var sweep = new Sweep(2 * TILE_ROWS, 0, strips, 0, 1, 0, 0, TILE);
        int floats = 2 * TILE_ROWS * MicroKernel.ROW;
        assertThatThrownBy(() -> sweep.run(kind.kernel(), panels, floats))
            .isInstanceOfAny(IllegalArgumentException.class, IndexOutOfBoundsException.class);
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
