package dev.regolith.kernels.tensor;

import dev.regolith.kernels.memory.NativeMemory;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A strided view of memory: element {@code (i0, i1, ...)} lies {@code offset + i0 * stride0 + i1 *
 * stride1 + ...} elements into its segment. Sizes and strides are {@code long}; strides are not
 * negative; the default layout is row-major.
 *
 * <p><b>Memory.</b> {@link #zeros} and {@link #of} allocate 64-byte aligned off-heap memory from an
 * arena that stays the caller's: when it is closed, every use of the tensor throws {@link
 * IllegalStateException}. With an arena of the JDK's, tensors of a huge page and more lie in huge
 * pages, where Linux has them on request; these do not count against {@code
 * -XX:MaxDirectMemorySize}. {@link #wrap} uses memory the caller keeps.
 *
 * <p><b>Seals.</b> A seal is an exact code over the raw words, by which a changed word is noticed,
 * found and put back. Operators seal what they write into tensors whose memory was never handed out
 * for writing; {@code Session.seal} seals any tensor. While a tensor is sealed, {@link #segment} is
 * read-only and writing goes through {@code Session.edit}.
 *
 * <p><b>Threads.</b> A tensor is immutable apart from its elements; it may be shared. Elements
 * follow the rules of plain memory: a write must happen-before a read by other means.
 */
public final class Tensor {
  /** Alignment, in bytes, of memory allocated here. */
  public static final long ALIGNMENT = NativeMemory.ALIGNMENT;

  private static final long WORD = Integer.BYTES;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT;

  private final Storage storage;
  private final DType dtype;
  private final long offset;
  private final long[] shape;
  private final long[] strides;
  private @Nullable Range range; // computed when first asked for; a race computes it twice
  private @Nullable Range words; // likewise
  private @Nullable Boolean fills; // likewise

  private Tensor(Storage storage, DType dtype, long offset, long[] shape, long[] strides) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  /** A tensor of zeros in new aligned memory of {@code arena}. */
  public static Tensor zeros(Arena arena, DType dtype, long... shape) {
    long bytes = Math.multiplyExact(elements(shape), dtype.bytes());
    // Seals are of words, which halves may not fill.
    long words = dtype.isHalf() ? Math.ceilDiv(bytes, WORD) * WORD : bytes;
    var segment = NativeMemory.allocate(arena, words);
    var storage = new Storage(segment, true, bytes);
    return new Tensor(storage, dtype, 0, shape.clone(), rowMajor(shape));
  }

  /** A float32 tensor in new aligned memory of {@code arena}, filled from a row-major array. */
  public static Tensor of(Arena arena, float[] data, long... shape) {
    requireSize(data.length, shape);
    var tensor = zeros(arena, DType.FLOAT32, shape);
    MemorySegment.copy(data, 0, tensor.storage.segment(), FLOAT, 0, data.length);
    return tensor;
  }

  /**
   * A row-major tensor over memory that the library uses again and again, for its own packages: it
   * is sealed as results are, and stays where it is.
   */
  public static Tensor scratch(MemorySegment memory, DType dtype, long... shape) {
    var storage = new Storage(memory, true);
    storage.observe();
    return new Tensor(storage, dtype, 0, shape.clone(), rowMajor(shape));
  }

  /**
   * The same of another type, which numbers are {@linkplain DType#round rounded} to.
   *
   * @throws IllegalArgumentException if the type is no floating-point type
   */
  public static Tensor of(Arena arena, DType dtype, float[] data, long... shape) {
    if (dtype == DType.FLOAT32) {
      return of(arena, data, shape);
    }
    requireFloats(dtype);
    requireSize(data.length, shape);
    var tensor = zeros(arena, dtype, shape);
    for (int i = 0; i < data.length; i++) {
      tensor.storage.segment().setAtIndex(HALF, i, dtype.round(data[i]));
    }
    return tensor;
  }

  /** A view of the caller's array, row-major; no copy. The library never seals it by itself. */
  public static Tensor wrap(float[] data, long... shape) {
    requireSize(data.length, shape);
    return wrap(MemorySegment.ofArray(data), DType.FLOAT32, shape);
  }

  /**
   * A view of the caller's memory, row-major; no copy. The library never seals it by itself.
   *
   * @throws IllegalArgumentException if the segment is smaller than the shape, or not aligned to
   *     the element size
   */
  public static Tensor wrap(MemorySegment segment, DType dtype, long... shape) {
    long bytes = Math.multiplyExact(elements(shape), dtype.bytes());
    if (segment.byteSize() < bytes) {
      throw new IllegalArgumentException(
          "a tensor of shape %s and type %s needs %d bytes, the segment has %d"
              .formatted(Arrays.toString(shape), dtype, bytes, segment.byteSize()));
    }
    if (segment.maxByteAlignment() < dtype.bytes()
        || (segment.isNative() && segment.address() % dtype.bytes() != 0)) {
      throw new IllegalArgumentException(
          "the segment is aligned to %d bytes, elements of type %s need %d"
              .formatted(segment.maxByteAlignment(), dtype, dtype.bytes()));
    }
    return new Tensor(new Storage(segment, false), dtype, 0, shape.clone(), rowMajor(shape));
  }

  /** Element type. */
  public DType dtype() {
    return dtype;
  }

  /** Number of dimensions. */
  public int rank() {
    return shape.length;
  }

  /** Extent along a dimension; negative numbers count from the last. */
  public long size(int dimension) {
    return shape[dimension < 0 ? shape.length + dimension : dimension];
  }

  /** All extents, a copy. */
  public long[] shape() {
    return shape.clone();
  }

  /** Stride along a dimension, in elements; negative numbers count from the last. */
  public long stride(int dimension) {
    return strides[dimension < 0 ? strides.length + dimension : dimension];
  }

  /** Number of elements. */
  public long elements() {
    return elements(shape);
  }

  /** The view with the last two dimensions exchanged; no copy. */
  public Tensor transposed() {
    if (shape.length < 2) {
      throw new IllegalArgumentException(
          "only a tensor of two or more dimensions can be transposed, this one has shape "
              + Arrays.toString(shape));
    }
    var newShape = shape.clone();
    var newStrides = strides.clone();
    int last = shape.length - 1;
    newShape[last] = shape[last - 1];
    newShape[last - 1] = shape[last];
    newStrides[last] = strides[last - 1];
    newStrides[last - 1] = strides[last];
    return new Tensor(storage, dtype, offset, newShape, newStrides);
  }

  /** The view of indices {@code from} (inclusive) to {@code to} (exclusive) along a dimension. */
  public Tensor slice(int dimension, long from, long to) {
    if (from < 0 || to < from || to > shape[dimension]) {
      throw new IndexOutOfBoundsException(
          "slice [%d, %d) of dimension %d of shape %s"
              .formatted(from, to, dimension, Arrays.toString(shape)));
    }
    var newShape = shape.clone();
    newShape[dimension] = to - from;
    // An empty slice may start one past the end: it addresses nothing.
    long start = to == from ? 0 : from * strides[dimension];
    return new Tensor(storage, dtype, offset + start, newShape, strides.clone());
  }

  /**
   * A view with any layout over the same memory: leading dimensions, gaps, broadcasts (stride 0).
   *
   * @param offset elements from this tensor's first element
   * @throws IndexOutOfBoundsException if an element would lie outside the memory
   */
  public Tensor strided(long offset, long[] shape, long[] strides) {
    if (shape.length != strides.length) {
      throw new IllegalArgumentException(
          "%d extents %s, but %d strides %s"
              .formatted(
                  shape.length, Arrays.toString(shape), strides.length, Arrays.toString(strides)));
    }
    long start = Math.addExact(this.offset, offset);
    long last = start;
    boolean empty = elements(shape) == 0;
    for (int d = 0; d < shape.length && !empty; d++) {
      if (strides[d] < 0) {
        throw new IllegalArgumentException("negative stride in " + Arrays.toString(strides));
      }
      last = Math.addExact(last, Math.multiplyExact(shape[d] - 1, strides[d]));
    }
    long capacity = storage.used() / dtype.bytes();
    if (start < 0 || (!empty && last >= capacity)) {
      throw new IndexOutOfBoundsException(
          "shape %s with strides %s from element %d ends at element %d of %d"
              .formatted(Arrays.toString(shape), Arrays.toString(strides), start, last, capacity));
    }
    return new Tensor(storage, dtype, start, shape.clone(), strides.clone());
  }

  /** Element of a matrix of a floating-point type. */
  public float get(long row, long column) {
    requireRank(2);
    return value(offset + index(0, row) + index(1, column));
  }

  /** Element of a vector of a floating-point type. */
  public float get(long at) {
    requireRank(1);
    return value(offset + index(0, at));
  }

  /** All elements of a tensor of a floating-point type, row-major, in a new array. */
  public float[] toArray() {
    requireFloats(dtype);
    var result = new float[Math.toIntExact(elements())];
    var index = new long[shape.length];
    for (int at = 0; at < result.length; at++) {
      long word = offset;
      for (int d = 0; d < index.length; d++) {
        word += index[d] * strides[d];
      }
      result[at] = value(word);
      for (int d = index.length - 1; d >= 0 && ++index[d] == shape[d]; d--) {
        index[d] = 0;
      }
    }
    return result;
  }

  private float value(long at) {
    MemorySegment words = storage.segment();
    return dtype == DType.FLOAT32
        ? words.getAtIndex(FLOAT, at)
        : dtype.widen(words.getAtIndex(HALF, at));
  }

  /**
   * The memory behind this view: all of it, of which {@link #offset} is the first element.
   * Read-only while any element of this view is sealed. A segment handed out writable makes the
   * library stop sealing this memory by itself, since it could be written behind its back.
   *
   * <p>Words that an accelerator has are brought here by this call, {@link #get} and {@link
   * #toArray}; once a segment was handed out, every operator brings its result here.
   *
   * @throws IllegalStateException if they are lost with an accelerator; operators that write all of
   *     the tensor still can
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if they arrive with more damage
   *     than seals undo
   */
  public MemorySegment segment() {
    if (isSealed()) {
      storage.observe();
      return withoutFiller(storage.segment()).asReadOnly();
    }
    storage.expose();
    return withoutFiller(storage.segmentToWrite(false));
  }

  private MemorySegment withoutFiller(MemorySegment memory) {
    return storage.used() == memory.byteSize() ? memory : memory.asSlice(0, storage.used());
  }

  /** Index of the first element in {@link #segment}, in elements. */
  public long offset() {
    return offset;
  }

  /** Whether any element of this view is under a seal. */
  public boolean isSealed() {
    return storage.isWatched(words());
  }

  /** The memory and its watches; for the library's own packages (the type is not exported). */
  @SuppressWarnings("exports")
  public Storage storage() {
    return storage;
  }

  /**
   * The words of this view as a batch of matrices (the type is not exported).
   *
   * @throws IllegalArgumentException if the outer dimensions do not fold into one stride
   */
  @SuppressWarnings("exports")
  public Range range() {
    var known = range;
    if (known == null) {
      known = fold();
      range = known;
    }
    return known;
  }

  /**
   * Elements from the first of this view to behind its last, those between them included; for the
   * library's own packages.
   */
  public long extent() {
    long extent = 1;
    for (int d = 0; d < shape.length; d++) {
      extent += (shape[d] - 1) * strides[d];
    }
    return extent;
  }

  /** Whether {@link #range} exists: the outer dimensions fold into one. */
  public boolean folds() {
    long batch = 1;
    long batchStride = 0;
    for (int d = shape.length - 3; d >= 0; d--) {
      if (shape[d] != 1) {
        if (batch != 1 && strides[d] != batch * batchStride) {
          return false;
        }
        batchStride = batch == 1 ? strides[d] : batchStride;
        batch *= shape[d];
      }
    }
    return true;
  }

  /**
   * The words of 32 bits that seals of this view are of: its elements, or, where these are smaller,
   * the words that they lie in. Where no batch of matrices is made of these, as where rows of
   * halves start within words, all words between the first and the last are (the type is not
   * exported).
   *
   * @throws IllegalArgumentException if elements are words, and do not fold as {@link #range} does
   */
  @SuppressWarnings("exports")
  public Range words() {
    if (dtype.bytes() == WORD) {
      return range();
    }
    var known = words;
    if (known == null) {
      known = coverElements();
      words = known;
    }
    return known;
  }

  /**
   * Whether {@link #words} are those of this view's elements, and nobody else's, so that they can
   * be sealed. What allocated memory is filled up with to whole words belongs to the last element.
   */
  public boolean fillsWords() {
    var known = fills;
    if (known == null) {
      known = dtype.bytes() == WORD || elementsFillWords();
      fills = known;
    }
    return known;
  }

  private boolean elementsFillWords() {
    MemorySegment memory = storage.place();
    boolean inWords =
        memory.isNative()
            && memory.address() % WORD == 0
            && WORD * (words().last() + 1) <= memory.byteSize();
    if (!inWords || !folds() || range().selfOverlaps()) {
      return false;
    }
    // What fills the last word of the memory up is nobody's.
    boolean toTheEnd = (offset + extent()) * dtype.bytes() == storage.used();
    long filler = toTheEnd ? Math.floorMod(-storage.used(), WORD) : 0;
    return words().size() * WORD == elements() * dtype.bytes() + filler;
  }

  private Range coverElements() {
    long each = WORD / dtype.bytes();
    if (elements() == 0) {
      return new Range(offset / each, 0, 0, 0, 0, 0, 1);
    }
    if (folds()) {
      Range r = range();
      boolean even =
          r.hasUnitColumns()
              && (r.rows() <= 1 || r.rowStride() % each == 0)
              && (r.batch() <= 1 || r.batchStride() % each == 0);
      if (even) {
        long from = r.offset() / each;
        long columns = (r.offset() + r.columns() - 1) / each - from + 1;
        long rowStride = r.rowStride() / each;
        long batchStride = r.batchStride() / each;
        var rows = new Range(from, r.batch(), r.rows(), columns, batchStride, rowStride, 1);
        if (!rows.selfOverlaps()) {
          return rows;
        }
      }
    }
    long from = offset / each;
    long columns = (offset + extent() - 1) / each - from + 1;
    return new Range(from, 1, 1, columns, columns, columns, 1);
  }

  /**
   * Whether this view shares a word with a range of its memory; where it does not {@link #folds
   * fold}, whether it may.
   */
  @SuppressWarnings("exports")
  public boolean touches(Range others) {
    if (elements() == 0) {
      return false;
    }
    return (folds() || dtype.bytes() != WORD)
        ? others.intersects(words())
        : others.offset() < offset + extent() && offset <= others.last();
  }

  private Range fold() {
    int n = shape.length;
    long rows = n >= 2 ? shape[n - 2] : 1;
    long columns = n >= 1 ? shape[n - 1] : 1;
    long rowStride = n >= 2 ? strides[n - 2] : 0;
    long columnStride = n >= 1 ? strides[n - 1] : 0;
    long batch = 1;
    long batchStride = 0;
    for (int d = n - 3; d >= 0; d--) {
      if (shape[d] != 1) {
        if (batch != 1 && strides[d] != batch * batchStride) {
          throw new IllegalArgumentException(
              "outer dimensions of shape %s with strides %s do not fold into one batch stride"
                  .formatted(Arrays.toString(shape), Arrays.toString(strides)));
        }
        batchStride = batch == 1 ? strides[d] : batchStride;
        batch *= shape[d];
      }
    }
    return new Range(offset, batch, rows, columns, batchStride, rowStride, columnStride);
  }

  @Override
  public String toString() {
    return "Tensor(%s %s, strides %s)"
        .formatted(dtype, Arrays.toString(shape), Arrays.toString(strides));
  }

  private long index(int dimension, long at) {
    if (at < 0 || at >= shape[dimension]) {
      throw new IndexOutOfBoundsException(
          "index %d along dimension %d of shape %s"
              .formatted(at, dimension, Arrays.toString(shape)));
    }
    return at * strides[dimension];
  }

  private void requireRank(int rank) {
    requireFloats(dtype);
    if (shape.length != rank) {
      throw new IllegalArgumentException(
          "expected a tensor of rank %d, this one has shape %s"
              .formatted(rank, Arrays.toString(shape)));
    }
  }

  private static void requireFloats(DType dtype) {
    if (dtype != DType.FLOAT32 && !dtype.isHalf()) {
      throw new IllegalArgumentException(
          "expected type FLOAT32, BFLOAT16 or FLOAT16, this is " + dtype);
    }
  }

  private static void requireSize(long length, long[] shape) {
    if (length != elements(shape)) {
      throw new IllegalArgumentException(
          "shape %s has %d elements, the array has %d"
              .formatted(Arrays.toString(shape), elements(shape), length));
    }
  }

  private static long elements(long[] shape) {
    long product = 1;
    for (long extent : shape) {
      if (extent < 0) {
        throw new IllegalArgumentException("negative extent in shape " + Arrays.toString(shape));
      }
      product = Math.multiplyExact(product, extent);
    }
    return product;
  }

  private static long[] rowMajor(long[] shape) {
    var strides = new long[shape.length];
    long stride = 1;
    for (int d = shape.length - 1; d >= 0; d--) {
      strides[d] = stride;
      stride *= Math.max(1, shape[d]);
    }
    return strides;
  }
}
