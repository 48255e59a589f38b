package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.peer.AttentionOperands.Order;
import dev.regolith.jmh.peer.PyTorch.C;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * An attention by PyTorch, which allocates its result in every call, as it does for everybody.
 * Tensors are views of our memory, held as handles.
 */
final class TorchAttention implements Computation {
  /** The function that is called, and how tensors are shown to it. */
  enum Entry {
    /** What everybody calls; it takes the way of flash attention where there is one. */
    GENERAL("scaled_dot_product_attention"),
    /** Flash attention, the single queries of a group being the queries of one head. */
    GROUPED("flash attention, the heads of a group as queries of one head");

    final String way;

    Entry(String way) {
      this.way = way;
    }
  }

  private static final int FLOAT32 = 6;
  private static final int CPU = 0;
  private static final int DIMENSIONS = 4;

  /** Arguments of the general function. */
  private static final int ARGUMENTS = 8;

  private final AttentionOperands operands;
  private final AttentionShape shape;
  private final Entry entry;
  private final int causal;

  private final long q;
  private final long[] k;
  private final long[] v;

  /** Two handles that a call returns: the result, and the logarithms of its sums or nothing. */
  private final MemorySegment returned;

  private final MemorySegment arguments;
  private final MemorySegment name;
  private final MemorySegment overload;
  private int next;

  TorchAttention(Row row, AttentionProblem problem, Entry entry, Arena arena) {
    shape = row.attention();
    this.entry = entry;
    if (shape.causal() && shape.queries() > 1 && shape.queries() != shape.keys()) {
      throw new IllegalStateException("its causal attention takes as many queries as keys only");
    }
    causal = shape.causal() && shape.queries() > 1 ? 1 : 0; // a single query sees everything
    operands = new AttentionOperands(row, problem, Order.HEADS_FIRST, Order.HEADS_FIRST, arena);
    returned = arena.allocate(JAVA_LONG, 2);
    arguments = arena.allocate(JAVA_LONG, ARGUMENTS);
    name = arena.allocateFrom("aten::scaled_dot_product_attention");
    overload = arena.allocateFrom("");
    PyTorch.threads(row.threads());
    q =
        entry == Entry.GENERAL
            ? view(operands.q(), shape.heads(), shape.queries())
            : view(operands.q(), shape.kvHeads(), shape.group());
    k = new long[operands.copies()];
    v = new long[operands.copies()];
    Arrays.setAll(k, i -> view(operands.k(i), shape.kvHeads(), shape.keys()));
    Arrays.setAll(v, i -> view(operands.v(i), shape.kvHeads(), shape.keys()));
  }

  /** A tensor of this many heads a sequence and tokens a head. */
  private long view(MemorySegment memory, int heads, int tokens) {
    long size = shape.headSize();
    long head = tokens * size;
    try (var scratch = Arena.ofConfined()) {
      MemorySegment sizes = scratch.allocateFrom(JAVA_LONG, shape.batch(), heads, tokens, size);
      MemorySegment strides = scratch.allocateFrom(JAVA_LONG, heads * head, head, size, 1);
      MemorySegment handle = scratch.allocate(JAVA_LONG);
      check(
          (int)
              C.WRAP.invokeExact(
                  memory.address(),
                  (long) DIMENSIONS,
                  sizes,
                  strides,
                  0L,
                  FLOAT32,
                  CPU,
                  0,
                  handle));
      return handle.get(JAVA_LONG, 0);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void run() {
    if (++next >= k.length) {
      next = 0;
    }
    spoil();
    try {
      if (entry == Entry.GENERAL) {
        general();
      } else {
        grouped();
      }
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  private void general() throws Throwable {
    long address = arguments.address();
    check((int) C.AGAIN.invokeExact(q, address)); // the call takes its tensors away
    check((int) C.AGAIN.invokeExact(k[next], address + 8));
    check((int) C.AGAIN.invokeExact(v[next], address + 16));
    arguments.setAtIndex(JAVA_LONG, 3, 0); // no mask
    arguments.setAtIndex(JAVA_LONG, 4, 0); // no dropout
    arguments.setAtIndex(JAVA_LONG, 5, causal);
    arguments.setAtIndex(JAVA_LONG, 6, 0); // 1 / sqrt(headSize)
    arguments.setAtIndex(JAVA_LONG, 7, shape.group() > 1 ? 1 : 0);
    check((int) C.CALL.invokeExact(name, overload, address));
    returned.setAtIndex(JAVA_LONG, 0, arguments.get(JAVA_LONG, 0));
  }

  private void grouped() throws Throwable {
    check(
        (int)
            C.ATTENTION.invokeExact(
                q,
                k[next],
                v[next],
                0.0, // no dropout
                0, // a query sees everything
                0L, // no mask
                0L, // 1 / sqrt(headSize)
                returned.address(),
                returned.address() + 8));
  }

  /** Gives back the last result. */
  @Override
  public void spoil() {
    for (int i = 0; i < 2; i++) {
      delete(returned.getAtIndex(JAVA_LONG, i));
      returned.setAtIndex(JAVA_LONG, i, 0);
    }
  }

  @Override
  @SuppressWarnings("restricted") // PyTorch's memory
  public float[] result() {
    long result = returned.get(JAVA_LONG, 0);
    try (var scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(ADDRESS);
      check((int) C.STRIDES.invokeExact(result, out));
      long[] strides =
          out.get(ADDRESS, 0).reinterpret(DIMENSIONS * JAVA_LONG.byteSize()).toArray(JAVA_LONG);
      check((int) C.DATA.invokeExact(result, out));
      MemorySegment data = out.get(ADDRESS, 0).reinterpret(operands.q().byteSize());
      return operands.result(
          data,
          (sequence, head, query) ->
              sequence * strides[0]
                  + (entry == Entry.GENERAL
                      ? head * strides[1] + query * strides[2]
                      : head / shape.group() * strides[1] + head % shape.group() * strides[2]));
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void close() {
    spoil();
    delete(q);
    Arrays.stream(k).forEach(TorchAttention::delete);
    Arrays.stream(v).forEach(TorchAttention::delete);
  }

  private static void delete(long handle) {
    if (handle != 0) {
      try {
        check((int) C.DELETE.invokeExact(handle));
      } catch (Throwable e) {
        throw failure(e);
      }
    }
  }

  private static void check(int error) {
    if (error != 0) {
      throw new IllegalStateException("PyTorch returns " + error);
    }
  }

  private static IllegalStateException failure(Throwable e) {
    return e instanceof IllegalStateException known
        ? known
        : new IllegalStateException("PyTorch fails: " + e.getMessage(), e);
  }
}
