package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.backend.vector.VectorGemm;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Conversions between float32 and 16 bits, held against the definition of the formats. */
class HalfConversionTest {
  private static final Backend[] BACKENDS = {new ScalarGemm(), new VectorGemm()};

  @ParameterizedTest
  @EnumSource
  void everyHalfIsWidened(HalfFormat format) {
    try (var arena = Arena.ofConfined()) {
      int all = 1 << 16;
      MemorySegment halves = arena.allocate(2L * all, 2);
      MemorySegment floats = arena.allocate(4L * all, 4);
      for (int bits = 0; bits < all; bits++) {
        halves.setAtIndex(ValueLayout.JAVA_SHORT, bits, (short) bits);
      }
      for (Backend backend : BACKENDS) {
        floats.fill((byte) 1);
        backend.widen(format.type(), halves, 0, all, floats, 0);
        for (int bits = 0; bits < all; bits++) {
          float found = floats.getAtIndex(ValueLayout.JAVA_FLOAT, bits);
          if (!same(found, format.value(bits))) {
            assertThat(found).as("%s %s %04x", backend, format, bits).isEqualTo(format.value(bits));
          }
        }
      }
    }
  }

  /**
   * Every half, the middle between it and the next, and what lies on both sides of either; powers
   * of two from end to end; and bits at random.
   */
  @ParameterizedTest
  @EnumSource
  void floatsAreRoundedToTheNearest(HalfFormat format) {
    int halves = 1 << 16;
    int more = 1 << 16;
    var x = new float[6 * halves + 512 + more];
    int count = 0;
    for (int bits = 0; bits < halves; bits++) {
      float half = format.value(bits);
      int next = (bits & 0x7fff) == 0x7fff ? bits : bits + 1;
      float middle = (float) (((double) half + format.value(next)) / 2);
      for (float each : new float[] {half, middle}) {
        x[count++] = each;
        x[count++] = Math.nextUp(each);
        x[count++] = Math.nextDown(each);
      }
    }
    for (int e = 0; e < 256; e++) {
      x[count++] = Float.intBitsToFloat(e << 23);
      x[count++] = -Float.intBitsToFloat(e << 23 | 0x400000);
    }
    var random = new SplittableRandom(17);
    while (count < x.length) {
      x[count++] = Float.intBitsToFloat(random.nextInt());
    }
    try (var arena = Arena.ofConfined()) {
      MemorySegment floats = arena.allocate(4L * count, 4);
      MemorySegment rounded = arena.allocate(2L * count, 2);
      MemorySegment.copy(x, 0, floats, ValueLayout.JAVA_FLOAT, 0, count);
      for (Backend backend : BACKENDS) {
        rounded.fill((byte) 1);
        backend.round(format.type(), floats, 0, count, rounded, 0);
        for (int i = 0; i < count; i++) {
          int bits = rounded.getAtIndex(ValueLayout.JAVA_SHORT, i) & 0xffff;
          int nearest = format.nearest(x[i]) & 0xffff;
          if (bits != nearest && !Float.isNaN(x[i])) {
            assertThat(bits).as("%s of %a, %s", format, x[i], backend.name()).isEqualTo(nearest);
          }
          assertThat(Float.isNaN(format.value(bits))).isEqualTo(Float.isNaN(x[i]));
        }
      }
    }
  }

  private static boolean same(float x, float y) {
    return Float.floatToIntBits(x) == Float.floatToIntBits(y);
  }

  /** Any length, from any place, and nothing beside it. */
  @Test
  void anyStretch() {
    try (var arena = Arena.ofConfined()) {
      for (Backend backend : BACKENDS) {
        for (int count = 0; count < 70; count++) {
          for (int skip = 0; skip < 3; skip++) {
            MemorySegment halves = arena.allocate(2L * (skip + count + 1), 2);
            MemorySegment floats = arena.allocate(4L * (skip + count + 1), 4);
            for (int i = 0; i < skip + count + 1; i++) {
              halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (0x3f80 + i));
              floats.setAtIndex(ValueLayout.JAVA_FLOAT, i, -1);
            }
            backend.widen(DType.BFLOAT16, halves, 2L * skip, count, floats, 4L * skip);
            for (int i = 0; i < skip + count + 1; i++) {
              boolean inside = i >= skip && i < skip + count;
              assertThat(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i))
                  .isEqualTo(inside ? HalfFormat.BFLOAT16.value(0x3f80 + i) : -1);
            }
            halves.fill((byte) 0);
            backend.round(DType.BFLOAT16, floats, 4L * skip, count, halves, 2L * skip);
            for (int i = 0; i < skip + count + 1; i++) {
              boolean inside = i >= skip && i < skip + count;
              assertThat(halves.getAtIndex(ValueLayout.JAVA_SHORT, i))
                  .isEqualTo((short) (inside ? 0x3f80 + i : 0));
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void tensorsRoundAndWiden(HalfFormat format) {
    try (var arena = Arena.ofConfined()) {
      float[] values = {1, -2.5f, 1e-8f, 65519, 3.1415927f, Float.NEGATIVE_INFINITY};
      Tensor tensor = Tensor.of(arena, format.type(), values, 2, 3);
      assertThat(tensor.toArray()).isEqualTo(format.rounded(values));
      assertThat(tensor.transposed().get(1, 0)).isEqualTo(-2.5f);
      assertThat(Tensor.of(arena, DType.FLOAT32, values, 6).get(4)).isEqualTo(3.1415927f);
    }
  }

  @Test
  void otherTypesAreNoHalves() {
    assertThatThrownBy(() -> DType.INT8.widen((short) 1))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("INT8");
    assertThatThrownBy(() -> DType.FLOAT32.round(1))
        .isInstanceOf(UnsupportedOperationException.class);
    try (var arena = Arena.ofConfined()) {
      assertThatThrownBy(() -> Tensor.of(arena, DType.INT32, new float[2], 2))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("INT32");
      assertThatThrownBy(() -> Tensor.zeros(arena, DType.INT8, 4).toArray())
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("INT8");
    }
  }
}
