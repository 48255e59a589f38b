package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An attention whose bits the host knows: two key heads that share a region, two spans, sizes that
 * fill no tile, softcap, slopes, masks, causality, values that are not finite, scores that are
 * subnormal; and a query of each head over a cache.
 */
final class SampleAttention implements AutoCloseable {
  private static final int HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int QUERIES = 37;
  private static final int KEYS = 1111;

  /** Of these, keys in the cache. */
  private static final int CACHED = 300;

  private static final int DEPTH = 43;
  private static final int COLUMNS = 141;

  /** A key of the first head whose value is not a number, and which nobody sees. */
  private static final int NAN = 5;

  /** A key of the second head. */
  private static final int INFINITE = 600;

  private static final float SOFTCAP = 2.5f;

  private final Arena arena = Arena.ofShared();
  private final SplittableRandom random = new SplittableRandom(1);
  private final AttentionProblem problem = new AttentionProblem();
  private final AttentionRegion region =
      new AttentionRegion().set(0, 0, KV_HEADS, 0, HEADS, 0, QUERIES);
  private final Backend host;
  private final MemorySegment keys;
  private final MemorySegment values;

  SampleAttention(Backend host) {
    this.host = host;
    var p = problem;
    p.batch = 1;
    p.heads = HEADS;
    p.kvHeads = KV_HEADS;
    p.queries = QUERIES;
    p.keys = KEYS;
    p.depth = DEPTH;
    p.columns = COLUMNS;
    p.scale = 0.37f;
    p.q = random(HEADS * QUERIES * DEPTH);
    p.qHeadStride = 4L * QUERIES * DEPTH;
    p.qRowStride = 4L * DEPTH;
    p.qStride = 4;
    p.outHeadStride = 4L * QUERIES * COLUMNS;
    p.outRowStride = 4L * COLUMNS;
    p.outStride = 4;
    p.finite = new boolean[Math.toIntExact(KV_HEADS * p.blocks())];
    Arrays.fill(p.finite, true);
    p.k = new PackedB(host.panelColumns());
    p.k.allocate(arena, KV_HEADS, DEPTH, KEYS);
    p.v = new PackedB(host.panelColumns());
    p.v.allocate(arena, KV_HEADS, KEYS, COLUMNS);
    long ofHead = (long) KEYS * COLUMNS;
    values = random(KV_HEADS * ofHead);
    keys = random(KV_HEADS * KEYS * DEPTH);
    pack(p.k, keys, new Range(0, KV_HEADS, DEPTH, KEYS, (long) KEYS * DEPTH, 1, DEPTH));
    packValues(Float.NaN, Float.POSITIVE_INFINITY);
    rules(p.visibility);
  }

  /** Values of two keys are these in their first column. */
  private void packValues(float first, float second) {
    long ofHead = (long) KEYS * COLUMNS;
    values.setAtIndex(ValueLayout.JAVA_FLOAT, (long) NAN * COLUMNS, first);
    values.setAtIndex(ValueLayout.JAVA_FLOAT, ofHead + (long) INFINITE * COLUMNS, second);
    pack(problem.v, values, new Range(0, KV_HEADS, KEYS, COLUMNS, ofHead, COLUMNS, 1));
    boolean finite = Float.isFinite(first) && Float.isFinite(second);
    problem.finite[problem.finiteAt(0, NAN / AttentionProblem.BLOCK)] = finite;
    problem.finite[problem.finiteAt(1, INFINITE / AttentionProblem.BLOCK)] = finite;
  }

  private void rules(Visibility visibility) {
    visibility.origins = new long[] {KEYS - QUERIES};
    visibility.keyLengths = new long[] {KEYS};
    visibility.queryLengths = new long[] {QUERIES - 1};
    visibility.right = 0;
    visibility.softcap = SOFTCAP;
    visibility.slopes = new float[] {0x1p-6f, 0x1p-9f, 0x1p-7f, 0x1p-8f};
    visibility.mask = Visibility.Mask.ADDITIVE;
    visibility.maskKeyStride = 1;
    visibility.maskQueryStride = KEYS;
    visibility.maskHeadStride = (long) QUERIES * KEYS;
    MemorySegment mask = random(HEADS * QUERIES * KEYS);
    for (long i = 0; i < (long) HEADS * QUERIES * KEYS; i++) {
      if (i % 7 == 3 || i % KEYS == NAN) {
        mask.setAtIndex(ValueLayout.JAVA_FLOAT, i, Float.NEGATIVE_INFINITY);
      }
    }
    visibility.maskMemory = mask;
  }

  private MemorySegment random(long floats) {
    MemorySegment memory = arena.allocate(4 * floats, 64);
    for (long i = 0; i < floats; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
    }
    return memory;
  }

  private void pack(PackedB target, MemorySegment source, Range range) {
    try (Workspace w = host.newWorkspace()) {
      for (int head = 0; head < KV_HEADS; head++) {
        for (int kBlock = 0; kBlock < target.kBlocks(); kBlock++) {
          for (long block = 0; block < target.blocks(); block++) {
            host.pack(source, range, head, target, block, kBlock, true, w);
          }
        }
      }
    }
  }

  /**
   * Whether a program computes the host's bits, with all rules and with none, twice and once, of a
   * call's keys and of a cache's, and sums speak for it.
   */
  boolean isRight(DeviceContext context, AttentionProgram program) {
    if (!agree(context, program, false)) {
      return false;
    }
    problem.visibility.softcap = 0;
    problem.visibility.slopes = null;
    problem.visibility.mask = Visibility.Mask.NONE;
    problem.scale = 0x1p-130f;
    if (!agree(context, program, false)) {
      return false;
    }
    packValues(1, 1);
    if (!agree(context, program, true)) {
      return false;
    }
    problem.scale = 0.37f;
    if (!agree(context, program, true)) {
      return false;
    }
    region.set(0, 0, KV_HEADS, 0, HEADS, 0, 1);
    problem.visibility.keyLengths = new long[] {CACHED};
    problem.visibility.origins = new long[] {CACHED - 1};
    var cache =
        new KeyValuePages(
            KV_HEADS,
            DEPTH,
            COLUMNS,
            host.panelColumns(),
            (component, outcome) -> {}); // what it was made of is at hand
    try {
      fill(cache);
      problem.pages = new KeyValuePages[] {cache};
      return agree(context, program, true);
    } finally {
      problem.pages = null;
      cache.free();
    }
  }

  private void fill(KeyValuePages cache) {
    var key = new float[DEPTH];
    var value = new float[COLUMNS];
    cache.grow(CACHED);
    for (int head = 0; head < KV_HEADS; head++) {
      for (long i = 0; i < CACHED; i++) {
        long at = (long) head * KEYS + i;
        MemorySegment.copy(keys, ValueLayout.JAVA_FLOAT, 4 * at * DEPTH, key, 0, DEPTH);
        MemorySegment.copy(values, ValueLayout.JAVA_FLOAT, 4 * at * COLUMNS, value, 0, COLUMNS);
        cache.put(i, head, key, value);
      }
    }
  }

  /** Whether it does now; {@code spoken}: and sums have said so, if they are to. */
  private boolean agree(DeviceContext context, AttentionProgram program, boolean spoken) {
    try (Workspace w = host.newWorkspace();
        var attention = new DeviceAttention(context, program, host);
        var copies = new DeviceCopies(context, _ -> PanelForm.OF_HOST)) {
      Results expected = open();
      problem.verify = false;
      AttentionParts.attend(problem, region, host, w, AttentionSink.DEAF);
      Results found = open();
      problem.verify = true;
      var suspicious = new AtomicBoolean();
      var evident = new AtomicBoolean();
      attention.run(problem, region, copies, 1, false, w, new Suspicion(suspicious, evident));
      if (suspicious.get() || evident.get() != (spoken && context.allows(Experiment.CHECKS))) {
        return false;
      }
      return same(expected.out, found.out) && same(expected.lse, found.lse);
    }
  }

  /** Of sums that do not agree, whatever the bits. */
  private record Suspicion(AtomicBoolean any, AtomicBoolean evident) implements AttentionSink {
    @Override
    public void evidence(
        AttentionProblem p,
        AttentionRegion region,
        int row,
        int rows,
        double[] predicted,
        double[] shown,
        double[] tolerance) {
      evident.set(true);
      for (int r = row; r < row + rows; r++) {
        if (!(Math.abs(shown[r] - predicted[r]) <= tolerance[r])) {
          any.set(true);
        }
      }
    }

    @Override
    public void suspect(AttentionProblem p, AttentionRegion region, Component component) {
      any.set(true);
    }
  }

  private record Results(MemorySegment out, MemorySegment lse) {}

  /** New memory for results, which nothing that is computed looks like. */
  private Results open() {
    problem.out = arena.allocate(4L * HEADS * QUERIES * COLUMNS, 64).fill((byte) -2);
    problem.lse = arena.allocate(4L * HEADS * QUERIES, 64).fill((byte) -2);
    return new Results(problem.out, problem.lse);
  }

  private static boolean same(MemorySegment one, MemorySegment other) {
    for (long at = 0; at < one.byteSize(); at += 4) {
      float x = one.get(ValueLayout.JAVA_FLOAT, at);
      float y = other.get(ValueLayout.JAVA_FLOAT, at);
      if (Float.floatToIntBits(x) != Float.floatToIntBits(y)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    arena.close();
  }
}
