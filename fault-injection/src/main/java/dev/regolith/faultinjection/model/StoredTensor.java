package dev.regolith.faultinjection.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A tensor as it lies in its file: little endian, row-major, without padding.
 *
 * @param file the file it comes from, for messages
 * @param name its name in the file
 * @param type type of an element
 * @param shape extents, the slowest first; empty for a scalar
 * @param bytes the elements, read-only, of any alignment; lives as long as the file's segment
 */
public record StoredTensor(
    String file, String name, StoredType type, List<Long> shape, MemorySegment bytes) {
  private static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT = JAVA_FLOAT_UNALIGNED.withOrder(LITTLE_ENDIAN);

  /** The longest array that every JVM can make. */
  private static final long MAX_ARRAY = Integer.MAX_VALUE - 8;

  /** Keeps a copy of the shape. */
  public StoredTensor {
    shape = List.copyOf(shape);
  }

  /** Number of elements. */
  public long elements() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /**
   * This tensor, if it has one of these types.
   *
   * @throws ModelFileException if it has another
   */
  public StoredTensor ofType(StoredType... accepted) {
    if (!List.of(accepted).contains(type)) {
      String names = Arrays.stream(accepted).map(Enum::name).collect(Collectors.joining(" or "));
      throw refuse("elements of type " + names, type.name(), "convert the file to that type");
    }
    return this;
  }

  /**
   * This tensor, if it has exactly this shape.
   *
   * @throws ModelFileException if it has another
   */
  public StoredTensor ofShape(long... extents) {
    List<Long> expected = Arrays.stream(extents).boxed().toList();
    if (!shape.equals(expected)) {
      throw refuse(
          "shape " + expected, shape.toString(), "the file belongs to a model of another size");
    }
    return this;
  }

  /**
   * The elements as float32, exactly; row-major, in a new array.
   *
   * @throws ModelFileException if they are not F32, F16 or BF16, or too many for an array
   */
  public float[] toFloats() {
    ofType(StoredType.F32, StoredType.F16, StoredType.BF16);
    if (elements() > MAX_ARRAY) {
      throw refuse(
          "at most " + MAX_ARRAY + " elements", elements() + "", "split the tensor into several");
    }
    float[] values = new float[(int) elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (type) {
            case BF16 -> DType.BFLOAT16.widen(bytes.getAtIndex(SHORT, i));
            case F16 -> DType.FLOAT16.widen(bytes.getAtIndex(SHORT, i));
            default -> bytes.getAtIndex(FLOAT, i);
          };
    }
    return values;
  }

  private ModelFileException refuse(String expected, String found, String remedy) {
    return new ModelFileException(file + ", tensor " + name, expected, found, remedy);
  }
}
