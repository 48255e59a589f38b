package dev.regolith.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.regolith.jmh.attention.AttentionProblem;
import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.exercise.Draw;
import dev.regolith.jmh.peer.AttentionOperands.Order;
import dev.regolith.jmh.peer.OnnxModel.Value;
import dev.regolith.jmh.peer.OnnxRuntime.C;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An attention by a session of ONNX Runtime; inputs and outputs lie in our memory. */
final class OnnxAttention implements Computation {
  /** A handle and the function that releases it. */
  private interface Release {
    void run() throws Throwable;
  }

  private final List<Release> releases = new ArrayList<>();
  private final Arena arena;
  private final AttentionShape shape;
  private final OnnxOperator operator;
  private final AttentionOperands operands;
  private final MemorySegment output;
  private final long memory;
  private final long session;
  private final MemorySegment inputNames;
  private final MemorySegment outputNames;
  private final int inputCount;
  private final int outputCount;

  /** Arrays of handles, one for each copy of keys and values. */
  private final long[] inputs;

  private final long[] outputs;
  private int next;

  OnnxAttention(
      long environment, OnnxOperator operator, Row row, AttentionProblem problem, Arena arena) {
    this.arena = arena;
    this.operator = operator;
    shape = row.attention();
    operands =
        new AttentionOperands(
            row, problem, operator.orderOfQueries(), operator.orderOfKeys(), arena);
    output = Draw.memory(arena, 4L * problem.resultElements());
    List<Value> ins = OnnxModel.present(operator.inputs(shape));
    List<Value> outs = OnnxModel.present(operator.outputs(shape));
    inputCount = ins.size();
    outputCount = outs.size();
    inputNames = names(ins);
    outputNames = names(outs);
    inputs = new long[operands.copies()];
    outputs = new long[operands.copies()];
    try {
      memory = create(C.RELEASE_MEMORY, out -> (long) C.MEMORY.invokeExact(0, 0, out));
      session = session(environment, row.threads());
      Map<String, MemorySegment> shared = shared(problem);
      for (int i = 0; i < inputs.length; i++) {
        var data = new HashMap<>(shared);
        data.put("k", operands.k(i));
        data.put("v", operands.v(i));
        if (operator == OnnxOperator.GROUP_QUERY_CACHED) {
          data.put("presentK", operands.k(i));
          data.put("presentV", operands.v(i));
        }
        inputs[i] = handles(ins, data);
        outputs[i] = handles(outs, data);
      }
    } catch (Throwable e) {
      close();
      throw failure(e);
    }
  }

  /** What is the same for all copies of keys and values. */
  private Map<String, MemorySegment> shared(AttentionProblem problem) {
    var data = new HashMap<String, MemorySegment>();
    data.put("q", operands.q());
    data.put("y", output);
    if (operator == OnnxOperator.GROUP_QUERY || operator == OnnxOperator.GROUP_QUERY_CACHED) {
      MemorySegment last = arena.allocate(JAVA_INT, shape.batch());
      for (int i = 0; i < shape.batch(); i++) {
        last.setAtIndex(JAVA_INT, i, shape.keys() - 1);
      }
      data.put("last", last);
      data.put("total", arena.allocateFrom(JAVA_INT, shape.keys()));
    }
    if (operator == OnnxOperator.GROUP_QUERY) {
      data.put("presentK", Draw.memory(arena, 4 * problem.cachedElements()));
      data.put("presentV", Draw.memory(arena, 4 * problem.cachedElements()));
    }
    if (operator == OnnxOperator.GROUP_QUERY_CACHED) {
      data.put("newK", newest(problem.k()));
      data.put("newV", newest(problem.v()));
    }
    return data;
  }

  /** The last key, or value, of every head: what the call appends is there already. */
  private MemorySegment newest(MemorySegment source) {
    long bytes = 4L * shape.headSize();
    int heads = shape.batch() * shape.kvHeads();
    MemorySegment newest = Draw.memory(arena, heads * bytes);
    for (int head = 0; head < heads; head++) {
      long last = (head + 1L) * shape.keys() - 1;
      MemorySegment.copy(source, last * bytes, newest, head * bytes, bytes);
    }
    return newest;
  }

  private long session(long environment, int threads) throws Throwable {
    try (var scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_LONG);
      OnnxRuntime.check((long) C.OPTIONS.invokeExact(out));
      long options = out.get(JAVA_LONG, 0);
      try {
        OnnxRuntime.check((long) C.THREADS.invokeExact(options, threads));
        for (var entry : Waiting.onnxRuntime(System.getenv()).entrySet()) {
          OnnxRuntime.check(
              (long)
                  C.CONFIGURE.invokeExact(
                      options,
                      scratch.allocateFrom(entry.getKey()),
                      scratch.allocateFrom(entry.getValue())));
        }
        byte[] bytes = operator.model(shape);
        MemorySegment model = scratch.allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        return create(
            C.RELEASE_SESSION,
            handle ->
                (long)
                    C.SESSION.invokeExact(
                        environment, model, (long) bytes.length, options, handle));
      } finally {
        C.RELEASE_OPTIONS.invokeExact(options);
      }
    }
  }

  /** A call that stores a new handle. */
  private interface Creation {
    long create(MemorySegment out) throws Throwable;
  }

  private long create(MethodHandle release, Creation creation) throws Throwable {
    try (var scratch = Arena.ofConfined()) {
      MemorySegment out = scratch.allocate(JAVA_LONG);
      OnnxRuntime.check(creation.create(out));
      long handle = out.get(JAVA_LONG, 0);
      releases.addFirst(() -> {
        release.invokeExact(handle);
      });
      return handle;
    }
  }

  private MemorySegment names(List<Value> values) {
    MemorySegment names = arena.allocate(ADDRESS, values.size());
    for (int i = 0; i < values.size(); i++) {
      names.setAtIndex(ADDRESS, i, arena.allocateFrom(values.get(i).name()));
    }
    return names;
  }

  /** The address of an array of tensors over our memory. */
  private long handles(List<Value> values, Map<String, MemorySegment> data) throws Throwable {
    MemorySegment handles = arena.allocate(JAVA_LONG, values.size());
    for (int i = 0; i < values.size(); i++) {
      Value value = values.get(i);
      MemorySegment where = data.get(value.name());
      if (where == null) {
        throw new IllegalStateException("no memory for " + value);
      }
      MemorySegment sizes =
          arena.allocateFrom(JAVA_LONG, value.sizes().stream().mapToLong(s -> s).toArray());
      handles.setAtIndex(
          JAVA_LONG,
          i,
          create(
              C.RELEASE_VALUE,
              out ->
                  (long)
                      C.TENSOR.invokeExact(
                          memory,
                          where.address(),
                          where.byteSize(),
                          sizes,
                          (long) value.sizes().size(),
                          value.type(),
                          out)));
    }
    return handles.address();
  }

  @Override
  public void run() {
    if (++next >= inputs.length) {
      next = 0;
    }
    try {
      OnnxRuntime.check(
          (long)
              C.RUN.invokeExact(
                  session,
                  0L,
                  inputNames.address(),
                  inputs[next],
                  (long) inputCount,
                  outputNames.address(),
                  (long) outputCount,
                  outputs[next]));
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void spoil() {
    output.fill((byte) 0xff);
  }

  @Override
  public float[] result() {
    int size = shape.headSize();
    boolean headsFirst = operator.orderOfQueries() == Order.HEADS_FIRST;
    return operands.result(
        output,
        (sequence, head, query) ->
            size
                * (headsFirst
                    ? ((long) sequence * shape.heads() + head) * shape.queries() + query
                    : ((long) sequence * shape.queries() + query) * shape.heads() + head));
  }

  @Override
  public void close() {
    try {
      for (Release release : releases) {
        release.run();
      }
    } catch (Throwable e) {
      throw failure(e);
    }
    releases.clear();
  }

  private static IllegalStateException failure(Throwable e) {
    return new IllegalStateException("ONNX Runtime: " + e.getMessage(), e);
  }
}
