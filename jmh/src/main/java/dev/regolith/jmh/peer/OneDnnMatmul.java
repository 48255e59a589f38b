package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.peer.PeerOperands.Order;
import dev.regolith.jmh.product.Problem;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A product by oneDNN's matrix multiplication primitive, optionally with weights reordered ahead
 * into the layout that the primitive chooses ({@code format_tag any}). Handles are held as
 * addresses and destroyed in reverse.
 */
final class OneDnnMatmul implements Computation {
  private static final int CPU = 1;
  private static final int IN_ORDER = 1;
  private static final int F32 = 3;
  private static final int TAG_ANY = 1;
  private static final int QUERY_WEIGHTS = 131;
  private static final int ARG_SOURCE = 1;
  private static final int ARG_DESTINATION = 17;
  private static final int ARG_WEIGHTS = 33;
  private static final int MOST_DIMENSIONS = 12;
  private static final long BYTES_OF_ARGUMENT = 16;

  /** Constants of this class, so that the calls are compiled to direct ones. */
  private static final class C {
    static final NativeFunctions LIBRARY = OneDnn.C.LIBRARY;
    static final MethodHandle ENGINE = creator("dnnl_engine_create", JAVA_INT, JAVA_LONG);
    static final MethodHandle STREAM = creator("dnnl_stream_create", JAVA_LONG, JAVA_INT);
    static final MethodHandle PLAIN =
        creator("dnnl_memory_desc_create_with_strides", JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
    static final MethodHandle TAGGED =
        creator("dnnl_memory_desc_create_with_tag", JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    static final MethodHandle MATMUL =
        creator(
            "dnnl_matmul_primitive_desc_create",
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG);
    static final MethodHandle REORDER =
        creator(
            "dnnl_reorder_primitive_desc_create",
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG);
    static final MethodHandle PRIMITIVE = creator("dnnl_primitive_create", JAVA_LONG);
    static final MethodHandle MEMORY =
        creator("dnnl_memory_create", JAVA_LONG, JAVA_LONG, JAVA_LONG);
    static final MethodHandle QUERY =
        LIBRARY.get(
            "dnnl_primitive_desc_query_md",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT));
    static final MethodHandle SIZE =
        LIBRARY.get("dnnl_memory_desc_get_size", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
    static final MethodHandle EXECUTE =
        LIBRARY.get(
            "dnnl_primitive_execute",
            FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG));
    static final MethodHandle WAIT =
        LIBRARY.get("dnnl_stream_wait", FunctionDescriptor.of(JAVA_INT, JAVA_LONG));

    private C() {}

    /** A function that puts a new handle where its first argument points. */
    private static MethodHandle creator(String name, ValueLayout... arguments) {
      return LIBRARY.get(
          name, FunctionDescriptor.of(JAVA_INT, ADDRESS).appendArgumentLayouts(arguments));
    }
  }

  /** A handle and the function that destroys it. */
  private record Handle(String destroyer, long address) {}

  private final Deque<Handle> handles = new ArrayDeque<>();
  private final Arena arena;
  private final Shape shape;
  private final PeerOperands operands;
  private final long engine;
  private final long stream;
  private final long matmul;
  private final long[] arguments;

  OneDnnMatmul(Row row, Problem problem, boolean reorder, Arena arena) {
    this.arena = arena;
    shape = row.shape();
    operands = new PeerOperands(row, problem, Order.PLAIN, arena);
    OneDnn.threads(row.threads());
    try {
      engine = create("dnnl_engine_destroy", out -> (int) C.ENGINE.invokeExact(out, CPU, 0L));
      stream =
          create("dnnl_stream_destroy", out -> (int) C.STREAM.invokeExact(out, engine, IN_ORDER));
      long source = plain(shape.m(), shape.k());
      long plainWeights = plain(shape.k(), shape.n());
      long weights = reorder ? any(shape.k(), shape.n()) : plainWeights;
      long destination = plain(shape.m(), shape.n());
      long description =
          create(
              "dnnl_primitive_desc_destroy",
              out -> (int) C.MATMUL.invokeExact(out, engine, source, weights, 0L, destination, 0L));
      matmul = primitive(description);
      long chosen = (long) C.QUERY.invokeExact(description, QUERY_WEIGHTS, 0);
      if (reorder) {
        operands.repack(plain -> reordered(plain, plainWeights, chosen));
      }
      arguments = new long[operands.copies()];
      for (int i = 0; i < arguments.length; i++) {
        arguments[i] =
            arguments(
                ARG_SOURCE, memory(source, operands.left()),
                ARG_WEIGHTS, memory(chosen, operands.weights(i)),
                ARG_DESTINATION, memory(destination, operands.output()));
      }
    } catch (Throwable e) {
      close();
      throw new IllegalStateException("oneDNN does not set up a matmul: " + e.getMessage(), e);
    }
  }

  /** A call that stores a new handle. */
  private interface Creation {
    int create(MemorySegment out) throws Throwable;
  }

  private long create(String destroyer, Creation creation) throws Throwable {
    MemorySegment out = arena.allocate(ADDRESS);
    int status = creation.create(out);
    if (status != 0) {
      throw new IllegalStateException("status " + status);
    }
    long address = out.get(JAVA_LONG, 0);
    handles.push(new Handle(destroyer, address));
    return address;
  }

  private long plain(long rows, long columns) throws Throwable {
    MemorySegment sizes = dimensions(rows, columns);
    MemorySegment strides = dimensions(columns, 1);
    return create(
        "dnnl_memory_desc_destroy", out -> (int) C.PLAIN.invokeExact(out, 2, sizes, F32, strides));
  }

  private long any(long rows, long columns) throws Throwable {
    MemorySegment sizes = dimensions(rows, columns);
    return create(
        "dnnl_memory_desc_destroy", out -> (int) C.TAGGED.invokeExact(out, 2, sizes, F32, TAG_ANY));
  }

  private MemorySegment dimensions(long first, long second) {
    MemorySegment values = arena.allocate(JAVA_LONG, MOST_DIMENSIONS);
    values.setAtIndex(JAVA_LONG, 0, first);
    values.setAtIndex(JAVA_LONG, 1, second);
    return values;
  }

  private long primitive(long description) throws Throwable {
    return create("dnnl_primitive_destroy", out -> (int) C.PRIMITIVE.invokeExact(out, description));
  }

  private long memory(long description, MemorySegment values) throws Throwable {
    return create(
        "dnnl_memory_destroy",
        out -> (int) C.MEMORY.invokeExact(out, description, engine, values.address()));
  }

  /** An array of {@code dnnl_exec_arg_t}, from pairs of argument and memory. */
  private long arguments(long... pairs) {
    MemorySegment array = arena.allocate(BYTES_OF_ARGUMENT * (pairs.length / 2), 8);
    for (int i = 0; i < pairs.length; i += 2) {
      array.set(JAVA_INT, BYTES_OF_ARGUMENT * (i / 2), (int) pairs[i]);
      array.set(JAVA_LONG, BYTES_OF_ARGUMENT * (i / 2) + 8, pairs[i + 1]);
    }
    return array.address();
  }

  private MemorySegment reordered(MemorySegment plain, long from, long to) {
    try {
      MemorySegment target = Draw.memory(arena, (long) C.SIZE.invokeExact(to));
      long description =
          create(
              "dnnl_primitive_desc_destroy",
              out -> (int) C.REORDER.invokeExact(out, from, engine, to, engine, 0L));
      execute(
          primitive(description),
          arguments(ARG_SOURCE, memory(from, plain), ARG_DESTINATION, memory(to, target)),
          2);
      return target;
    } catch (Throwable e) {
      throw new IllegalStateException("oneDNN does not reorder weights: " + e.getMessage(), e);
    }
  }

  private void execute(long primitive, long argumentArray, int count) throws Throwable {
    int status = (int) C.EXECUTE.invokeExact(primitive, stream, count, argumentArray);
    if (status == 0) {
      status = (int) C.WAIT.invokeExact(stream);
    }
    if (status != 0) {
      throw new IllegalStateException("status " + status);
    }
  }

  @Override
  public void run() {
    try {
      execute(matmul, arguments[operands.advance()], 3);
    } catch (Throwable e) {
      throw new IllegalStateException("oneDNN does not multiply: " + e.getMessage(), e);
    }
  }

  @Override
  public void spoil() {
    operands.spoil();
  }

  @Override
  public float[] result() {
    return operands.result();
  }

  @Override
  public void close() {
    while (!handles.isEmpty()) {
      Handle handle = handles.pop();
      try {
        C.LIBRARY
            .get(handle.destroyer(), FunctionDescriptor.of(JAVA_INT, JAVA_LONG))
            .invoke(handle.address());
      } catch (Throwable e) {
        throw new IllegalStateException("oneDNN does not free a handle", e);
      }
    }
  }
}
