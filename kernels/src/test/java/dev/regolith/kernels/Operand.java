package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.random.RandomGenerator;

/**
 * A batch of matrices somewhere in a larger memory, of which every word is known: gaps between
 * rows, before, behind and between elements hold noise that nobody may touch.
 */
final class Operand {
  private final Tensor tensor;
  private final MemorySegment memory;
  private final int[] before;

  private Operand(Tensor tensor, MemorySegment memory) {
    this.tensor = tensor;
    this.memory = memory;
    this.before = bits(memory);
  }

  /** Where the memory comes from. */
  enum Memory {
    /** A float array. */
    HEAP,
    /** Native memory of the caller. */
    WRAPPED,
    /** Memory the library allocated: outputs are sealed. */
    OWNED
  }

  /**
   * How a matrix lies in its memory.
   *
   * @param transposed whether neighbours along a column are closest
   * @param offset words before the first element
   * @param gap words behind a row
   * @param step words from an element to the next
   */
  record Layout(Memory memory, boolean transposed, int offset, int gap, int step) {
    static final Layout PLAIN = new Layout(Memory.OWNED, false, 0, 0, 1);
  }

  /** Makes the operand; rank 2 if {@code batch} is 0. */
  static Operand of(
      Arena arena, Layout layout, int batch, int rows, int columns, float[] elements) {
    long inner = layout.transposed ? rows : columns;
    long outer = layout.transposed ? columns : rows;
    long far = inner * layout.step + layout.gap;
    long matrix = outer * far + layout.gap;
    long words = layout.offset + Math.max(1, batch) * matrix + 5;
    Tensor whole =
        switch (layout.memory) {
          case HEAP -> Tensor.wrap(new float[(int) words], words);
          case WRAPPED -> Tensor.wrap(arena.allocate(4 * words, 4), DType.FLOAT32, words);
          case OWNED -> Tensor.zeros(arena, DType.FLOAT32, words);
        };
    MemorySegment memory = whole.storage().segment();
    for (long i = 0; i < words; i++) {
      memory.setAtIndex(ValueLayout.JAVA_INT, i, 0x7FC0_0000 | (int) (i * 31 & 0xFFFF));
    }
    long rowStride = layout.transposed ? layout.step : far;
    long columnStride = layout.transposed ? far : layout.step;
    int at = 0;
    for (int b = 0; b < Math.max(1, batch); b++) {
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
          memory.setAtIndex(
              ValueLayout.JAVA_FLOAT,
              layout.offset + b * matrix + i * rowStride + j * columnStride,
              elements[at++]);
        }
      }
    }
    Tensor view =
        batch == 0
            ? whole.strided(
                layout.offset, new long[] {rows, columns}, new long[] {rowStride, columnStride})
            : whole.strided(
                layout.offset,
                new long[] {batch, rows, columns},
                new long[] {matrix, rowStride, columnStride});
    return new Operand(view, memory);
  }

  /** The view. */
  Tensor tensor() {
    return tensor;
  }

  /** All words of a memory. */
  static int[] bits(MemorySegment memory) {
    var bits = new int[(int) (memory.byteSize() / 4)];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = memory.getAtIndex(ValueLayout.JAVA_INT, i);
    }
    return bits;
  }

  /** Word of the first difference to what the memory held when it was made, or -1. */
  int firstChange() {
    return java.util.Arrays.mismatch(before, bits(memory));
  }

  /** Word of the first difference to the given elements, with everything else as it was, or -1. */
  int firstDifference(float[] elements) {
    var expected = before.clone();
    var range = tensor.range();
    int at = 0;
    for (long b = 0; b < range.batch(); b++) {
      for (long i = 0; i < range.rows(); i++) {
        for (long j = 0; j < range.columns(); j++) {
          expected[(int) range.word(b, i, j)] = Float.floatToIntBits(elements[at++]);
        }
      }
    }
    int[] now = bits(memory);
    for (long b = 0; b < range.batch(); b++) {
      for (long i = 0; i < range.rows(); i++) {
        for (long j = 0; j < range.columns(); j++) {
          int word = (int) range.word(b, i, j);
          now[word] = Float.floatToIntBits(Float.intBitsToFloat(now[word])); // one NaN for all
        }
      }
    }
    return java.util.Arrays.mismatch(expected, now);
  }

  /** All elements of a row-major tensor that fills its memory, copied in one go. */
  static float[] elements(Tensor tensor) {
    float[] elements = tensor.storage().segment().toArray(ValueLayout.JAVA_FLOAT);
    if (elements.length != tensor.elements()) {
      throw new IllegalArgumentException(tensor + " does not fill its memory");
    }
    return elements;
  }

  /** Standard normal elements. */
  static float[] gaussian(RandomGenerator random, int count) {
    var elements = new float[count];
    for (int i = 0; i < count; i++) {
      elements[i] = (float) random.nextGaussian();
    }
    return elements;
  }

  /** The same number in every element. */
  static float[] filled(float value, int count) {
    var elements = new float[count];
    java.util.Arrays.fill(elements, value);
    return elements;
  }
}
