package dev.regolith.kernels.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Views of memory: what they address, and what they refuse. */
@Tag("once")
class TensorTest {
  private static float[] count(int size) {
    var data = new float[size];
    for (int i = 0; i < size; i++) {
      data[i] = i;
    }
    return data;
  }

  @Test
  void rowMajorByDefault() {
    var tensor = Tensor.wrap(count(24), 2, 3, 4);
    assertThat(tensor.shape()).containsExactly(2, 3, 4);
    assertThat(tensor.rank()).isEqualTo(3);
    assertThat(tensor.elements()).isEqualTo(24);
    assertThat(tensor.stride(0)).isEqualTo(12);
    assertThat(tensor.stride(-1)).isEqualTo(1);
    assertThat(tensor.size(-2)).isEqualTo(3);
    assertThat(tensor.toArray()).isEqualTo(count(24));
    assertThat(tensor.range()).isEqualTo(new Range(0, 2, 3, 4, 12, 4, 1));
  }

  @Test
  void transposed() {
    var tensor = Tensor.wrap(count(6), 2, 3).transposed();
    assertThat(tensor.shape()).containsExactly(3, 2);
    assertThat(tensor.toArray()).containsExactly(0, 3, 1, 4, 2, 5);
    assertThat(tensor.get(2, 1)).isEqualTo(5);
    assertThat(tensor.transposed().toArray()).isEqualTo(count(6));
    assertThat(Tensor.wrap(count(12), 2, 2, 3).transposed().toArray())
        .containsExactly(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11);
  }

  @Test
  void slices() {
    var tensor = Tensor.wrap(count(20), 4, 5);
    var part = tensor.slice(0, 1, 3).slice(1, 2, 5);
    assertThat(part.toArray()).containsExactly(7, 8, 9, 12, 13, 14);
    assertThat(part.offset()).isEqualTo(7);
    assertThat(part.slice(0, 2, 2).elements()).isZero();
    assertThat(part.slice(0, 2, 2).toArray()).isEmpty();
  }

  @Test
  void slicesBeyondTheEdge() {
    var tensor = Tensor.wrap(count(20), 4, 5);
    assertThatThrownBy(() -> tensor.slice(0, 3, 5)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.slice(0, -1, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.slice(1, 0, 6)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.slice(1, 2, 1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.slice(0, Long.MAX_VALUE, 2))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.slice(2, 0, 1)).isInstanceOf(RuntimeException.class);
  }

  @Test
  void strided() {
    var tensor = Tensor.wrap(count(20), 20);
    assertThat(tensor.strided(1, new long[] {3, 2}, new long[] {7, 3}).toArray())
        .containsExactly(1, 4, 8, 11, 15, 18);
    assertThat(tensor.strided(4, new long[] {2, 3}, new long[] {0, 1}).toArray())
        .containsExactly(4, 5, 6, 4, 5, 6);
    assertThat(tensor.strided(20, new long[] {0, 5}, new long[] {1, 1}).toArray()).isEmpty();
  }

  @Test
  void stridedBeyondTheMemory() {
    var tensor = Tensor.wrap(count(20), 20);
    assertThatThrownBy(() -> tensor.strided(2, new long[] {3, 2}, new long[] {7, 4}))
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessageContainingAll("[3, 2]", "[7, 4]", "20");
    assertThatThrownBy(() -> tensor.strided(-1, new long[] {3}, new long[] {1}))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.strided(0, new long[] {3}, new long[] {-1}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> tensor.strided(0, new long[] {3}, new long[] {1, 1}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> tensor.strided(0, new long[] {3, 3}, new long[] {Long.MAX_VALUE, 1}))
        .isInstanceOf(ArithmeticException.class);
  }

  @Test
  void elementsOutside() {
    var tensor = Tensor.wrap(count(20), 4, 5);
    assertThatThrownBy(() -> tensor.get(4, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.get(0, 5)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.get(-1, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> tensor.get(0)).isInstanceOf(IllegalArgumentException.class);
    assertThat(Tensor.wrap(count(3), 3).get(2)).isEqualTo(2);
  }

  @Test
  void allocatedMemoryIsAlignedAndZero() {
    try (var arena = Arena.ofConfined()) {
      for (int size = 0; size < 40; size++) {
        var tensor = Tensor.zeros(arena, DType.FLOAT32, 1, size);
        assertThat(tensor.segment().address() % Tensor.ALIGNMENT).isZero();
        assertThat(tensor.toArray()).containsOnly(new float[size]);
      }
      assertThat(Tensor.zeros(arena, DType.INT8, 3, 5).segment().byteSize()).isEqualTo(15);
      assertThat(Tensor.of(arena, count(6), 2, 3).toArray()).isEqualTo(count(6));
    }
  }

  @Test
  void wrapSharesTheMemory() {
    var data = count(6);
    var tensor = Tensor.wrap(data, 2, 3);
    data[4] = 40;
    assertThat(tensor.get(1, 1)).isEqualTo(40);
    tensor.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 5, 50);
    assertThat(data[5]).isEqualTo(50);
  }

  @Test
  void wrapRefusesWhatCannotBe() {
    assertThatThrownBy(() -> Tensor.wrap(count(5), 2, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[2, 3]", "6", "5");
    assertThatThrownBy(() -> Tensor.wrap(count(6), -2, -3))
        .isInstanceOf(IllegalArgumentException.class);
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(64, 64);
      assertThatThrownBy(() -> Tensor.wrap(memory.asSlice(2, 16), DType.FLOAT32, 4))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("aligned");
      assertThat(Tensor.wrap(memory.asSlice(2, 16), DType.BFLOAT16, 8).elements()).isEqualTo(8);
      assertThat(Tensor.wrap(memory.asSlice(4, 16), DType.FLOAT32, 4).elements()).isEqualTo(4);
    }
    assertThatThrownBy(() -> Tensor.wrap(MemorySegment.ofArray(new byte[64]), DType.FLOAT32, 4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("aligned");
  }

  @Test
  void sizesBeyondAnInt() {
    try (var arena = Arena.ofConfined()) {
      var tensor = Tensor.wrap(arena.allocate(4), DType.FLOAT32, 1);
      var huge = tensor.strided(0, new long[] {1L << 20, 1L << 20}, new long[] {0, 0});
      assertThat(huge.elements()).isEqualTo(1L << 40);
      assertThat(huge.get((1L << 20) - 1, (1L << 20) - 1)).isZero();
      assertThatThrownBy(huge::toArray).isInstanceOf(ArithmeticException.class);
      assertThatThrownBy(() -> Tensor.zeros(arena, DType.FLOAT32, 1L << 40, 1L << 40))
          .isInstanceOf(ArithmeticException.class);
    }
  }

  @Test
  void anEmptyExtentIsEmptyWhateverTheOthersAre() {
    try (var arena = Arena.ofConfined()) {
      assertThat(Tensor.zeros(arena, DType.FLOAT32, 1L << 40, 0, 7).elements()).isZero();
    }
  }

  @Test
  void outerDimensionsFoldIntoABatch() {
    var tensor = Tensor.wrap(count(48), 2, 3, 2, 4);
    assertThat(tensor.range()).isEqualTo(new Range(0, 6, 2, 4, 8, 4, 1));
    var gaps = tensor.slice(1, 0, 2);
    assertThatThrownBy(gaps::range)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("fold");
    assertThat(tensor.slice(1, 1, 2).range()).isEqualTo(new Range(8, 2, 2, 4, 24, 4, 1));
  }

  @Test
  void describesItself() {
    assertThat(Tensor.wrap(count(6), 2, 3).transposed())
        .hasToString("Tensor(FLOAT32 [3, 2], strides [1, 3])");
  }

  @Test
  void onlyFloatsAreReadAsFloats() {
    try (var arena = Arena.ofConfined()) {
      var tensor = Tensor.zeros(arena, DType.INT32, 2, 2);
      assertThatThrownBy(tensor::toArray)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("INT32");
      assertThatThrownBy(() -> tensor.get(0, 0)).isInstanceOf(IllegalArgumentException.class);
    }
  }
}
