package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.inject.AttentionWorkload.Layout;
import dev.regolith.faultinjection.inject.AttentionWorkload.Rules;
import dev.regolith.faultinjection.inject.AttentionWorkload.Shape;
import dev.regolith.kernels.KeyValueCache;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An attention in memory: operands, caches, mask, seals, results and logarithms. */
final class AttentionSetup implements Setup {
  /** Buffers that outlive a call; what is packed of keys and values does not. */
  private static final Set<ProbePoint> PERSISTENT =
      EnumSet.of(
          ProbePoint.QUERY_SOURCE_READ,
          ProbePoint.KEY_SOURCE_READ,
          ProbePoint.VALUE_SOURCE_READ,
          ProbePoint.MASK_READ,
          ProbePoint.OPERAND_SEAL);

  /** Parts of a cache's pages: where keys and values are cached, these outlive a call as well. */
  private static final Set<ProbePoint> PAGES =
      EnumSet.of(
          ProbePoint.KEYS_READ,
          ProbePoint.VALUES_READ,
          ProbePoint.CHECK_VECTORS_READ,
          ProbePoint.TOLERANCE_COEFFICIENTS_READ,
          ProbePoint.KEYS_SEAL,
          ProbePoint.VALUES_SEAL,
          ProbePoint.PACKED_B_SEAL,
          ProbePoint.CHECK_VECTORS_SEAL);

  private final AttentionWorkload workload;
  private final Session session;
  private final boolean sealed;
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final @Nullable Tensor mask;
  private final AttentionOptions options;
  private List<KeyValueCache> caches;
  private final List<Tensor> first;
  private final List<Tensor> second;
  private final @Nullable Predecessor predecessor;

  /** Whether queries are sent to a device ahead, which leaves the result there. */
  private final boolean resident;

  /** Whether caches are filled anew after every run. */
  private final boolean refills;

  /** An attention of the same shape over other operands. */
  private record Predecessor(Tensor q, Tensor k, Tensor v, Tensor out) {}

  AttentionSetup(
      AttentionWorkload workload, Arm arm, Session session, Arena arena, Computing computing) {
    this.workload = workload;
    this.session = session;
    boolean onDevice = computing.onDevice();
    resident = computing == Computing.RESIDENT && workload.mayStay();
    if (onDevice && "host".equals(session.configuration().get("attentionComputedBy"))) {
      throw new IllegalArgumentException(
          "attention is left to the CPU by " + session.backend() + "; see docs/accelerators.md");
    }
    refills = onDevice && arm == Arm.OFF && workload.cached();
    sealed = arm == Arm.CORRECT && workload.sealed();
    Shape s = workload.shape();
    q = tensor(arena, s.heads(), s.queries());
    k = tensor(arena, s.kvHeads(), s.keys());
    v = tensor(arena, s.kvHeads(), s.keys());
    mask = mask(arena, s, workload.rules());
    writeOperands();
    if (sealed) {
      session.seal(q);
      session.seal(k);
      session.seal(v);
    }
    if (sealed && mask != null && workload.hasAdditiveMask()) {
      session.seal(mask);
    }
    options = options();
    caches = workload.cached() ? fill() : List.of();
    first = outputs(arena);
    second = outputs(arena);
    predecessor = onDevice ? predecessor(arena) : null;
  }

  private Predecessor predecessor(Arena arena) {
    Shape s = workload.shape();
    var other =
        new Predecessor(
            tensor(arena, s.heads(), s.queries()),
            tensor(arena, s.kvHeads(), s.keys()),
            tensor(arena, s.kvHeads(), s.keys()),
            tensor(arena, s.heads(), s.queries()));
    writeQueries(other.q, Setup.other(workload.q()));
    write(other.k, Setup.other(workload.k()), s.kvHeads(), s.keys());
    write(other.v, Setup.other(workload.v()), s.kvHeads(), s.keys());
    return other;
  }

  @Override
  public void precede() {
    if (predecessor != null) {
      open(List.of(predecessor.out));
      if (resident) {
        upload(predecessor.q);
      }
      var _ =
          session.attention(predecessor.q, predecessor.k, predecessor.v, predecessor.out, options);
      // What it left with a device is what the next queries and result come to lie on.
      open(List.of(predecessor.out));
      forget(predecessor.q);
    }
  }

  /** Sends queries to a device; what this workload does not seal stays without a seal. */
  private void upload(Tensor queries) {
    session.upload(queries);
    if (!sealed) {
      session.unseal(queries);
    }
  }

  /** Has a device give up its copy of queries. */
  private void forget(Tensor queries) {
    if (resident) {
      session.edit(queries).close();
    }
  }

  private Tensor tensor(Arena arena, int heads, int rows) {
    Shape s = workload.shape();
    return switch (workload.layout()) {
      case SIDE_BY_SIDE ->
          Tensor.zeros(arena, DType.FLOAT32, s.batch(), rows, (long) heads * s.depth());
      case APART -> Tensor.zeros(arena, DType.FLOAT32, s.batch(), heads, rows, s.depth());
      case TURNED ->
          Tensor.zeros(arena, DType.FLOAT32, s.batch(), heads, s.depth(), rows).transposed();
    };
  }

  /** A cache for every sequence. */
  private List<KeyValueCache> fill() {
    Shape s = workload.shape();
    var filled = new ArrayList<KeyValueCache>();
    for (int sequence = 0; sequence < s.batch(); sequence++) {
      var cache = session.cache(s.kvHeads(), s.depth(), s.depth());
      int length = workload.keyLength(sequence);
      session.append(cache, rows(k, sequence, length), rows(v, sequence, length));
      filled.add(cache);
    }
    return filled;
  }

  private static Tensor rows(Tensor tensor, int sequence, int length) {
    return tensor.slice(0, sequence, sequence + 1).slice(tensor.rank() - 2, 0, length);
  }

  private static @Nullable Tensor mask(Arena arena, Shape s, Rules rules) {
    if (rules.mask() == null) {
      return null;
    }
    if (!rules.booleanMask()) {
      return Tensor.zeros(arena, DType.FLOAT32, s.queries(), s.keys());
    }
    MemorySegment bytes = arena.allocate((long) s.queries() * s.keys());
    return Tensor.wrap(bytes, DType.BOOL, s.queries(), s.keys());
  }

  private List<Tensor> outputs(Arena arena) {
    Shape s = workload.shape();
    Tensor result = tensor(arena, s.heads(), s.queries());
    return workload.logSums()
        ? List.of(result, Tensor.zeros(arena, DType.FLOAT32, s.batch(), s.heads(), s.queries()))
        : List.of(result);
  }

  private AttentionOptions options() {
    Shape s = workload.shape();
    Rules rules = workload.rules();
    var o = AttentionOptions.defaults().scale(workload.scale()).causal().softcap(rules.softcap());
    if (workload.layout() == Layout.SIDE_BY_SIDE) {
      o = o.heads(s.heads(), s.kvHeads());
    }
    if (rules.left() >= 0) {
      o = o.window(rules.left(), -1);
    }
    if (rules.slopes() != null) {
      o = o.slopes(rules.slopes());
    }
    if (rules.keyLengths() != null && !workload.cached()) {
      o = o.keyLengths(Arrays.stream(rules.keyLengths()).asLongStream().toArray());
    }
    return mask == null ? o : o.mask(mask);
  }

  @Override
  public List<Tensor> first() {
    return first;
  }

  @Override
  public List<Tensor> second() {
    return second;
  }

  @Override
  public void open(List<Tensor> outputs) {
    forget(q); // the next call sends them anew, the one after finds them there
    for (Tensor output : outputs) {
      try (var edit = session.edit(output)) {
        MemorySegment memory = edit.segment();
        for (long at = 0;
            at < output.elements();
            at++) { // each has memory of its own, without gaps
          memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, Float.NaN);
        }
      }
    }
  }

  @Override
  public Status compute(List<Tensor> outputs) {
    Tensor output = outputs.getFirst();
    if (!resident) {
      return attend(output, outputs.getLast());
    }
    upload(q);
    Status status = attend(output, outputs.getLast());
    Status arrived = session.verify(output); // has it come back
    return status.worse(arrived);
  }

  private Status attend(Tensor output, Tensor logarithms) {
    AttentionOptions o = workload.logSums() ? options.logSumExp(logarithms) : options;
    return workload.cached()
        ? session.attention(q, caches, output, o)
        : session.attention(q, k, v, output, o);
  }

  @Override
  public boolean outlivesCall(Occurrence occurrence) {
    return (sealed && PERSISTENT.contains(occurrence.point()))
        || (workload.cached() && PAGES.contains(occurrence.point()));
  }

  @Override
  public void restoreInputs() {
    if (refills) {
      // Nobody puts right what is damaged in the memory of a device: caches go there anew.
      close();
      caches = fill();
    }
    if (!sealed) {
      writeOperands();
    }
  }

  @Override
  public void close() {
    caches.forEach(KeyValueCache::close);
  }

  private void writeOperands() {
    Shape s = workload.shape();
    writeQueries(q, workload.q());
    write(k, workload.k(), s.kvHeads(), s.keys());
    write(v, workload.v(), s.kvHeads(), s.keys());
    if (mask != null) {
      writeMask(mask.segment(), Objects.requireNonNull(workload.rules().mask()));
    }
  }

  private void writeMask(MemorySegment memory, float[] values) {
    for (int i = 0; i < values.length; i++) {
      if (workload.rules().booleanMask()) {
        memory.set(ValueLayout.JAVA_BYTE, i, (byte) (values[i] == 0 ? 1 : 0));
      } else {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, values[i]);
      }
    }
  }

  /** Writes queries in a way after which they may stay with a device. */
  private void writeQueries(Tensor queries, float[] values) {
    Shape s = workload.shape();
    try (var edit = session.edit(queries)) {
      write(edit.segment(), queries, values, s.heads(), s.queries());
    }
  }

  private void write(Tensor tensor, float[] values, int heads, int rows) {
    write(tensor.segment(), tensor, values, heads, rows);
  }

  /** Writes {@code [batch][row][head][column]} into a tensor of this workload's layout. */
  private void write(MemorySegment memory, Tensor tensor, float[] values, int heads, int rows) {
    int depth = workload.shape().depth();
    boolean apart = tensor.rank() == 4;
    long rowStride = tensor.stride(-2);
    long columnStride = tensor.stride(-1);
    long headStride = apart ? tensor.stride(1) : depth;
    for (int at = 0; at < values.length; at++) {
      int head = at / depth % heads;
      int row = at / depth / heads % rows;
      int sequence = at / depth / heads / rows;
      long word =
          sequence * tensor.stride(0)
              + head * headStride
              + row * rowStride
              + at % depth * columnStride;
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, word, values[at]);
    }
  }
}
