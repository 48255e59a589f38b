package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Columns that lie in rows, turned into rows: every word, and their sum. */
@Tag("machine")
class PanelCopyTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 7, 8, 9, 16, 23, 64, 100, 512})
  void columnsBecomeRows(int depth) {
    var random = new SplittableRandom(depth);
    int guard = 0x5AFE5AFE;
    long stride = 4L * (depth + 3);
    long from = 8;
    long words = (long) depth * TILE_COLUMNS;
    try (var arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(from + TILE_COLUMNS * stride, 64);
      for (long i = 0; i < source.byteSize() / 4; i++) {
        source.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
      }
      long before = 8; // words that come first, and as many behind
      MemorySegment target = arena.allocate(4 * (words + 2 * before), 64);
      for (long i = 0; i < words + 2 * before; i++) {
        target.setAtIndex(ValueLayout.JAVA_INT, i, guard);
      }
      var raw = new long[SealLanes.UPPER + 3 * VectorShapes.WIDE_LANES];
      long found = PanelCopy.turn(source, from, stride, target, 4L * before, depth, raw);
      long sum = 0;
      for (int k = 0; k < depth; k++) {
        for (int c = 0; c < TILE_COLUMNS; c++) {
          int word = source.get(ValueLayout.JAVA_INT, from + c * stride + 4L * k);
          sum += Integer.toUnsignedLong(word);
          assertThat(target.getAtIndex(ValueLayout.JAVA_INT, before + (long) k * TILE_COLUMNS + c))
              .as("step %d of column %d", k, c)
              .isEqualTo(word);
        }
      }
      assertThat(found).isEqualTo(sum);
      for (long i = 0; i < before; i++) {
        assertThat(target.getAtIndex(ValueLayout.JAVA_INT, i)).isEqualTo(guard);
        assertThat(target.getAtIndex(ValueLayout.JAVA_INT, before + words + i)).isEqualTo(guard);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 64, 512})
  void rowsAreFilledUp(int depth) {
    var random = new SplittableRandom(depth);
    int guard = 0x5AFE5AFE;
    long stride = 4L * (TILE_COLUMNS + 3);
    long words = (long) depth * TILE_COLUMNS;
    var raw = new long[SealLanes.RAW];
    try (var arena = Arena.ofConfined()) {
      for (int columns = 1; columns < TILE_COLUMNS; columns++) {
        MemorySegment source = arena.allocate(8 + (depth - 1) * stride + 4L * columns, 8);
        for (long i = 0; i < source.byteSize() / 4; i++) {
          source.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
        }
        MemorySegment target = arena.allocate(4 * (words + 8), 64);
        for (long i = 0; i < words + 8; i++) {
          target.setAtIndex(ValueLayout.JAVA_INT, i, guard);
        }
        long found = PanelCopy.fillUp(source, 8, stride, columns, target, depth, raw);
        long sum = 0;
        for (int k = 0; k < depth; k++) {
          for (int c = 0; c < TILE_COLUMNS; c++) {
            int word = c < columns ? source.get(ValueLayout.JAVA_INT, 8 + k * stride + 4L * c) : 0;
            sum += Integer.toUnsignedLong(word);
            assertThat(target.getAtIndex(ValueLayout.JAVA_INT, (long) k * TILE_COLUMNS + c))
                .as("step %d of column %d of %d", k, c, columns)
                .isEqualTo(word);
          }
        }
        assertThat(found).isEqualTo(sum);
        for (long i = words; i < words + 8; i++) {
          assertThat(target.getAtIndex(ValueLayout.JAVA_INT, i)).isEqualTo(guard);
        }
      }
    }
  }

  @Test
  void moreColumnsThanThereIsRoomForAreRefused() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment source = arena.allocate(4L * 8 * TILE_COLUMNS, 64);
      MemorySegment target = arena.allocate(4L * 4 * TILE_COLUMNS, 64);
      var raw = new long[SealLanes.RAW];
      int more = TILE_COLUMNS + 1;
      if (VectorShapes.MACHINE_CODE) {
        assertThatThrownBy(() -> PanelCopy.fillUp(source, 0, 4L * more, more, target, 2, raw))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
      assertThatThrownBy(() -> PanelCopy.fillUp(source, 0, 4L * 9, 9, target, 5, raw))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }
}
