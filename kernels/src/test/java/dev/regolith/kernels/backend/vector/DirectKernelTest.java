package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Kernels that read operands where they lie, against a scalar loop. */
@Tag("machine")
class DirectKernelTest {
  private static final int[] DEPTHS = {0, 1, 2, 3, 4, 5, 7, 64, 129};

  /** What lies around that must not be written. */
  private static final float UNTOUCHED = -77;

  @BeforeEach
  void onlyInMachineCode() {
    assumeTrue(VectorShapes.MACHINE_CODE);
  }

  @Test
  void stripsAreMultipliedIntoC() {
    var random = new SplittableRandom(1);
    for (int rows = 1; rows <= TILE_ROWS; rows++) {
      for (int strips = 1; strips <= 4; strips++) {
        for (int panels = 1; panels <= 3; panels++) {
          for (int depth : DEPTHS) {
            multiply(rows, strips, panels, TILE_COLUMNS, depth, Into.C, random);
          }
        }
      }
    }
  }

  @Test
  void manyDeepStripsAreMultipliedIntoC() {
    var random = new SplittableRandom(5);
    multiply(TILE_ROWS, 24, 1, TILE_COLUMNS, PackedB.DEPTH, Into.C, random);
    multiply(TILE_ROWS - 1, 3, 4, TILE_COLUMNS, PackedB.DEPTH - 1, Into.C, random);
  }

  @Test
  void aStripIsMultipliedIntoTiles() {
    var random = new SplittableRandom(2);
    for (int rows = 1; rows <= TILE_ROWS; rows++) {
      for (int panels = 1; panels <= 3; panels++) {
        for (int depth : DEPTHS) {
          multiply(rows, 1, panels, TILE_COLUMNS, depth, Into.TILES, random);
        }
      }
    }
  }

  @Test
  void stripsAreMultipliedIntoColumnsThatFillNoTile() {
    var random = new SplittableRandom(4);
    for (int columns = 1; columns < TILE_COLUMNS; columns++) {
      for (int rows = 1; rows <= TILE_ROWS; rows++) {
        for (int depth : DEPTHS) {
          multiply(rows, 1 + random.nextInt(3), 1, columns, depth, Into.C, random);
        }
      }
    }
  }

  @Test
  void chainsAreContinuedInC() {
    var random = new SplittableRandom(6);
    for (int rows = 1; rows <= TILE_ROWS; rows++) {
      for (int columns = 1; columns <= TILE_COLUMNS; columns++) {
        int panels = columns < TILE_COLUMNS ? 1 : 3;
        int strips = 1 + random.nextInt(3);
        for (int depth : DEPTHS) {
          multiply(rows, strips, panels, columns, depth, Into.C, true, random);
        }
      }
    }
  }

  private static void multiply(
      int rows, int strips, int panels, int width, int depth, Into into, SplittableRandom random) {
    multiply(rows, strips, panels, width, depth, into, false, random);
  }

  private static void multiply(
      int rows,
      int strips,
      int panels,
      int width,
      int depth,
      Into into,
      boolean continues,
      SplittableRandom random) {
    int allRows = rows * strips;
    int columns = panels * width;
    // Rows are further apart than they are long, and nothing lies behind the last.
    int aRow = depth + random.nextInt(5);
    boolean inPanels = random.nextBoolean();
    int bRow = (inPanels ? TILE_COLUMNS : columns) + random.nextInt(20);
    int nextPanel = inPanels ? depth * bRow + random.nextInt(20) : TILE_COLUMNS;
    int cRow = columns + random.nextInt(5);
    int first = random.nextInt(3);
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = floats(arena, random, first + Math.max(0, (allRows - 1) * aRow + depth));
      if (depth > 0) {
        // Times the zeros beside B, that is not a number.
        a.setAtIndex(JAVA_FLOAT, first + random.nextInt(depth), Float.POSITIVE_INFINITY);
      }
      int last = first + (panels - 1) * nextPanel + (depth - 1) * bRow + width;
      MemorySegment b = floats(arena, random, depth == 0 ? 0 : last);
      MemorySegment c = arena.allocate(4L * (first + allRows * cRow), 4);
      for (long i = 0; i < c.byteSize() / 4; i++) {
        c.setAtIndex(JAVA_FLOAT, i, UNTOUCHED);
      }
      var tiles = new float[2 + 3 * TILE];
      Arrays.fill(tiles, UNTOUCHED);
      var digests = new long[3 * WIDE_LANES];
      digests[WIDE_LANES] = 5;
      boolean intoC = into == Into.C;
      var expectedC = new float[(int) (c.byteSize() / 4)];
      Arrays.fill(expectedC, UNTOUCHED);
      for (int i = 0; continues && i < allRows; i++) {
        for (int j = 0; j < columns; j++) {
          float sum = (float) random.nextDouble(-2, 2);
          c.setAtIndex(JAVA_FLOAT, first + (long) i * cRow + j, sum);
          expectedC[first + i * cRow + j] = sum;
        }
      }
      (continues ? DirectKernel.continuing(rows, width) : DirectKernel.of(rows, into, width))
          .multiply(
              a,
              4L * first,
              4L * aRow,
              strips,
              b,
              4L * first,
              4L * bRow,
              4L * nextPanel,
              panels,
              width,
              depth,
              tiles,
              2,
              digests,
              WIDE_LANES,
              intoC ? c : MemorySegment.NULL,
              4L * first,
              4L * cRow,
              continues ? 4L * bRow : b.address(),
              random.nextInt(2) * 64L);

      var expectedTiles = new float[tiles.length];
      Arrays.fill(expectedTiles, UNTOUCHED);
      var digest = new long[WIDE_LANES];
      digest[0] = 5;
      for (int i = 0; i < allRows; i++) {
        for (int j = 0; j < columns; j++) {
          long firstOfB = first + (long) j / TILE_COLUMNS * nextPanel + j % TILE_COLUMNS;
          float sum = continues ? expectedC[first + i * cRow + j] : 0;
          digest[j / 2 % WIDE_LANES] -= continues ? word(sum, j) : 0;
          for (int k = 0; k < depth; k++) {
            float x = a.getAtIndex(JAVA_FLOAT, first + (long) i * aRow + k);
            sum = Math.fma(x, b.getAtIndex(JAVA_FLOAT, firstOfB + (long) k * bRow), sum);
          }
          if (intoC) {
            expectedC[first + i * cRow + j] = sum;
          } else {
            int panel = j / TILE_COLUMNS * TILE;
            expectedTiles[2 + panel + i * TILE_COLUMNS + j % TILE_COLUMNS] = sum;
          }
          digest[j / 2 % WIDE_LANES] += word(sum, j);
        }
      }
      String what =
          "%d strips of %d rows, %d columns, %d steps".formatted(strips, rows, columns, depth);
      assertThat(c.toArray(JAVA_FLOAT)).as(what).isEqualTo(expectedC);
      assertThat(tiles).as(what).isEqualTo(expectedTiles);
      var all = new long[3 * WIDE_LANES];
      System.arraycopy(digest, 0, all, WIDE_LANES, WIDE_LANES);
      assertThat(digests).as(what).isEqualTo(all);
    }
  }

  /** A word in its half of a lane of the digest. */
  static long word(float value, int column) {
    return Integer.toUnsignedLong(Float.floatToRawIntBits(value)) << (32 * (column % 2));
  }

  @Test
  void nothingIsReadOrWrittenElsewhere() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = arena.allocate(4 * 3 * 10);
      MemorySegment b = arena.allocate(4L * 10 * TILE_COLUMNS);
      MemorySegment c = arena.allocate(4L * 3 * TILE_COLUMNS);
      long row = 4L * TILE_COLUMNS;
      intoC(a, 0, 40, 1, b, 0, row, 1, c, 0, row);
      assertRefused(() -> intoC(a, 4, 40, 1, b, 0, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, -4, 40, 1, b, 0, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, 44, 1, b, 0, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, -40, 1, b, 0, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, 0, 0, b, 0, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, 0, 2, b, 0, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, 40, 1, b, 4, row, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, 40, 1, b, 0, row + 4, 1, c, 0, row));
      assertRefused(() -> intoC(a, 0, 40, 1, b, 0, row, 2, c, 0, row));
      assertRefused(() -> intoC(a, 0, 40, 1, b, 0, row, 0, c, 0, row));
      assertRefused(() -> intoC(a, 0, 40, 1, b, 0, row, 1, c, 4, row));
      assertRefused(() -> intoC(a, 0, 40, 1, b, 0, row, 1, c, 0, row + 4));
      assertRefused(() -> intoTiles(a, 2, b, new float[TILE], 0, new long[WIDE_LANES], 0));
      assertRefused(() -> intoTiles(a, 1, b, new float[TILE], TILE, new long[WIDE_LANES], 0));
      assertRefused(() -> intoTiles(a, 1, b, new float[TILE], -1, new long[WIDE_LANES], 0));
      assertRefused(() -> intoTiles(a, 1, b, new float[TILE], 0, new long[WIDE_LANES], 1));
      intoTiles(a, 1, b, new float[TILE], 0, new long[WIDE_LANES], 0);
      assertRefused(() -> reading(a, b, c, -1, 4L * TILE_COLUMNS));
      assertRefused(() -> reading(a, b, c, 513, 4L * TILE_COLUMNS));
      assertRefused(() -> reading(a, b, c, 10, -4));
      assertRefused(() -> reading(a, b, c, 10, Long.MAX_VALUE));
    }
  }

  @Test
  void columnsOfAnotherKernel() {
    assertRefused(() -> ofColumns(TILE_COLUMNS - 1, TILE_COLUMNS, 1));
    assertRefused(() -> ofColumns(LANES, LANES + 1, 1));
    assertRefused(() -> ofColumns(LANES, 0, 1));
    assertRefused(() -> ofColumns(LANES, LANES, 2));
  }

  private static void intoC(
      MemorySegment a,
      long aAt,
      long aStride,
      int strips,
      MemorySegment b,
      long bAt,
      long bStride,
      int panels,
      MemorySegment c,
      long cAt,
      long cStride) {
    var digests = new long[WIDE_LANES];
    DirectKernel.of(3, Into.C)
        .multiply(
            a,
            aAt,
            aStride,
            strips,
            b,
            bAt,
            bStride,
            4L * TILE_COLUMNS,
            panels,
            TILE_COLUMNS,
            10,
            new float[1],
            0,
            digests,
            0,
            c,
            cAt,
            cStride,
            b.address(),
            0);
  }

  /** Calls a kernel that was made for another number of columns, or of panels. */
  private static void ofColumns(int madeFor, int columns, int panels) {
    MemorySegment none = MemorySegment.NULL;
    DirectKernel.of(1, Into.C, madeFor)
        .multiply(
            none,
            0,
            0,
            1,
            none,
            0,
            0,
            4L * TILE_COLUMNS,
            panels,
            columns,
            0,
            new float[1],
            0,
            new long[WIDE_LANES],
            0,
            MemorySegment.ofArray(new float[4 * TILE_COLUMNS]),
            0,
            0,
            0,
            0);
  }

  /** Multiplies with two panels of a depth. */
  private static void reading(
      MemorySegment a, MemorySegment b, MemorySegment c, int depth, long panelStride) {
    var digests = new long[WIDE_LANES];
    long row = 4L * TILE_COLUMNS;
    DirectKernel.of(1, Into.C)
        .multiply(
            a,
            0,
            40,
            1,
            b,
            0,
            row,
            panelStride,
            2,
            TILE_COLUMNS,
            depth,
            new float[1],
            0,
            digests,
            0,
            c,
            0,
            row,
            b.address(),
            0);
  }

  private static void intoTiles(
      MemorySegment a, int strips, MemorySegment b, float[] tiles, int to, long[] digests, int at) {
    MemorySegment none = MemorySegment.NULL;
    long row = 4L * TILE_COLUMNS;
    DirectKernel.of(1, Into.TILES)
        .multiply(
            a,
            0,
            40,
            strips,
            b,
            0,
            row,
            row,
            1,
            TILE_COLUMNS,
            10,
            tiles,
            to,
            digests,
            at,
            none,
            0,
            0,
            b.address(),
            0);
  }

  private static void assertRefused(Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfAny(IndexOutOfBoundsException.class, IllegalArgumentException.class);
  }

  static MemorySegment floats(Arena arena, SplittableRandom random, int count) {
    MemorySegment floats = arena.allocate(4L * count, 4);
    for (int i = 0; i < count; i++) {
      floats.setAtIndex(JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
    }
    return floats;
  }
}
