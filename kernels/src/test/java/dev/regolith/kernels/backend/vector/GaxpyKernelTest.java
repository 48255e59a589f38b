package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.DirectKernelTest.floats;
import static dev.regolith.kernels.backend.vector.DirectKernelTest.word;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rows of B, times their factors, added to rows of C, against a scalar loop. */
@Tag("machine")
class GaxpyKernelTest {
  private static final float UNTOUCHED = -77;

  @BeforeEach
  void onlyInMachineCode() {
    assumeTrue(VectorShapes.MACHINE_CODE);
  }

  @Test
  void rowsAreAdded() {
    var random = new SplittableRandom(1);
    for (int rows = 1; rows <= GaxpyKernel.ROWS; rows++) {
      for (int steps = 1; steps <= GaxpyKernel.stepsOf(rows); steps++) {
        for (int groups = 1; groups <= 3; groups++) {
          for (int columns = 1; columns <= 5 * LANES + 1; columns++) {
            add(rows, steps, groups, columns, random);
          }
        }
      }
    }
  }

  private static void add(int rows, int steps, int groups, int columns, SplittableRandom random) {
    int depth = groups * steps;
    // Rows are further apart than they are long, and nothing lies behind the last.
    int aRow = depth + random.nextInt(5);
    int bRow = columns + random.nextInt(20);
    int cRow = columns + random.nextInt(5);
    int first = random.nextInt(3);
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = floats(arena, random, first + (rows - 1) * aRow + depth);
      // Times the zeros beside B, that is not a number.
      a.setAtIndex(JAVA_FLOAT, first + random.nextInt(depth), Float.POSITIVE_INFINITY);
      MemorySegment b = floats(arena, random, first + (depth - 1) * bRow + columns);
      MemorySegment c = arena.allocate(4L * (first + rows * cRow), 4);
      for (long i = 0; i < c.byteSize() / 4; i++) {
        c.setAtIndex(JAVA_FLOAT, i, UNTOUCHED);
      }
      float[] expected = c.toArray(JAVA_FLOAT);
      var digest = new long[3 * WIDE_LANES];
      digest[WIDE_LANES] = 5;
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
          int at = first + i * cRow + j;
          float sum = (float) random.nextDouble(-2, 2);
          c.setAtIndex(JAVA_FLOAT, at, sum);
          digest[WIDE_LANES + j / 2 % WIDE_LANES] -= word(sum, j);
          for (int k = 0; k < depth; k++) {
            float x = a.getAtIndex(JAVA_FLOAT, first + (long) i * aRow + k);
            sum = Math.fma(x, b.getAtIndex(JAVA_FLOAT, first + (long) k * bRow + j), sum);
          }
          expected[at] = sum;
          digest[WIDE_LANES + j / 2 % WIDE_LANES] += word(sum, j);
        }
      }
      var found = new long[3 * WIDE_LANES];
      found[WIDE_LANES] = 5;
      long at = 4L * first;
      GaxpyKernel.of(rows, steps)
          .add(
              a,
              at,
              4L * aRow,
              b,
              at,
              4L * bRow,
              groups,
              columns,
              c,
              at,
              4L * cRow,
              found,
              WIDE_LANES);
      String what = "%d rows, %d x %d steps, %d columns".formatted(rows, groups, steps, columns);
      assertThat(c.toArray(JAVA_FLOAT)).as(what).isEqualTo(expected);
      assertThat(found).as(what).isEqualTo(digest);
    }
  }

  @Test
  void nothingIsReadOrWrittenElsewhere() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = arena.allocate(4 * 2 * 4);
      MemorySegment b = arena.allocate(4L * 4 * LANES);
      MemorySegment c = arena.allocate(4L * 2 * LANES);
      long row = 4L * LANES;
      add(a, 0, 16, b, 0, row, 2, LANES, c, 0, row, 0);
      assertRefused(() -> add(a, 4, 16, b, 0, row, 2, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, -4, 16, b, 0, row, 2, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 20, b, 0, row, 2, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 4, row, 2, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row + 4, 2, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, -row, 2, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 3, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 0, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, Integer.MAX_VALUE, LANES, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 2, LANES + 1, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 2, -1, c, 0, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 2, LANES, c, 4, row, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 2, LANES, c, 0, row + 4, 0));
      assertRefused(() -> add(a, 0, 16, b, 0, row, 2, LANES, c, 0, row, 1));
    }
  }

  private static void add(
      MemorySegment a,
      long aAt,
      long aStride,
      MemorySegment b,
      long bAt,
      long bStride,
      int groups,
      int columns,
      MemorySegment c,
      long cAt,
      long cStride,
      int digestAt) {
    var digest = new long[WIDE_LANES];
    GaxpyKernel.of(2, 2)
        .add(a, aAt, aStride, b, bAt, bStride, groups, columns, c, cAt, cStride, digest, digestAt);
  }

  private static void assertRefused(Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOfAny(IndexOutOfBoundsException.class, ArithmeticException.class);
  }
}
