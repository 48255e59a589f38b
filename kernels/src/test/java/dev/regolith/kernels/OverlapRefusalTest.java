package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** C may share memory with A, B or itself, but no element. */
@Tag("device")
@Tag("once")
class OverlapRefusalTest {
  private final Session session =
      SessionUnderTest.kept(2, Protection.CORRECT, Compute.BEST).session();

  private void refused(Tensor a, Tensor b, Tensor c) {
    int[] before = Operand.bits(c.storage().segment());
    assertThatThrownBy(() -> session.gemm(a, b, c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("share");
    assertThat(Operand.bits(c.storage().segment())).isEqualTo(before);
  }

  private void computed(Tensor a, Tensor b, Tensor c) {
    float[] expected = Chain.multiply(a, b);
    assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
    assertThat(ReferenceGemm.firstDifference(expected, c.toArray())).isEqualTo(-1);
  }

  private static Tensor random(int seed, long... shape) {
    long count = 1;
    for (long extent : shape) {
      count *= extent;
    }
    return Tensor.of(
        Arena.ofAuto(), Operand.gaussian(new SplittableRandom(seed), (int) count), shape);
  }

  @Test
  void theSameTensor() {
    var square = random(1, 8, 8);
    var other = random(2, 8, 8);
    refused(square, other, square);
    refused(other, square, square);
    refused(other, square, square.transposed());
    refused(square, other, square.slice(0, 0, 8));
  }

  @Test
  void oneSharedElement() {
    var buffer = random(1, 200);
    var a = buffer.strided(0, new long[] {5, 6}, new long[] {6, 1});
    var b = random(2, 6, 7);
    refused(a, b, buffer.strided(29, new long[] {5, 7}, new long[] {7, 1}));
    computed(a, b, buffer.strided(30, new long[] {5, 7}, new long[] {7, 1}));
  }

  @Test
  void columnBlocksOfOneBufferAreApart() {
    var qkv = Tensor.zeros(Arena.ofAuto(), DType.FLOAT32, 10, 60);
    var x = random(1, 10, 16);
    var w = random(2, 16, 20);
    for (int part = 0; part < 3; part++) {
      computed(x, w, qkv.slice(1, 20L * part, 20L * part + 20));
    }
    float[] expected = Chain.multiply(x, w);
    for (int part = 0; part < 3; part++) {
      assertThat(qkv.slice(1, 20L * part, 20L * part + 20).toArray()).isEqualTo(expected);
    }
  }

  @Test
  void aColumnBlockAsInputOfItsNeighbour() {
    var buffer = random(1, 12, 40);
    var w = random(2, 20, 20);
    computed(buffer.slice(1, 0, 20), w, buffer.slice(1, 20, 40));
    refused(buffer.slice(1, 0, 20), w, buffer.slice(1, 19, 39));
  }

  @Test
  void interleavedElementsAreApart() {
    var buffer = random(1, 400);
    var even = buffer.strided(0, new long[] {9, 9}, new long[] {18, 2});
    var odd = buffer.strided(1, new long[] {9, 9}, new long[] {18, 2});
    computed(even, random(2, 9, 9), odd);
    refused(even, random(2, 9, 9), buffer.strided(2, new long[] {9, 9}, new long[] {18, 2}));
  }

  @Test
  void twoWrapsOfOneArray() {
    var array = Operand.gaussian(new SplittableRandom(3), 100);
    var memory = MemorySegment.ofArray(array);
    var a = Tensor.wrap(memory.asSlice(0, 4 * 36), DType.FLOAT32, 6, 6);
    var b = random(2, 6, 6);
    refused(a, b, Tensor.wrap(memory.asSlice(4 * 35), DType.FLOAT32, 6, 6));
    refused(a, b, Tensor.wrap(array, 10, 10).slice(0, 0, 6).slice(1, 0, 6));
    computed(a, b, Tensor.wrap(memory.asSlice(4 * 36), DType.FLOAT32, 6, 6));
  }

  @Test
  void twoWrapsOfOneNativeSegment() {
    var memory = Arena.ofAuto().allocate(4 * 100, 4);
    var a = Tensor.wrap(memory.asSlice(4 * 40), DType.FLOAT32, 6, 6);
    var b = random(2, 6, 6);
    refused(a, b, Tensor.wrap(memory.asSlice(4 * 5), DType.FLOAT32, 6, 6));
    refused(
        b,
        a,
        Tensor.wrap(memory.asSlice(4 * 75), DType.FLOAT32, 5, 5)
            .strided(0, new long[] {6, 6}, new long[] {1, 0}));
    computed(a, b, Tensor.wrap(memory.asSlice(4 * 4), DType.FLOAT32, 6, 6));
  }

  @Test
  void anOutputThatFoldsOntoItself() {
    var buffer = random(1, 100);
    refused(
        random(2, 4, 3), random(3, 3, 5), buffer.strided(0, new long[] {4, 5}, new long[] {4, 1}));
    refused(
        random(2, 4, 3), random(3, 3, 5), buffer.strided(0, new long[] {4, 5}, new long[] {0, 1}));
  }

  @Test
  void inputsMayShareAnythingWithEachOther() {
    var square = random(1, 8, 8);
    computed(square, square.transposed(), random(2, 8, 8));
    var row = random(3, 1, 8).strided(0, new long[] {6, 8}, new long[] {0, 1});
    computed(row, square, random(2, 6, 8));
  }
}
