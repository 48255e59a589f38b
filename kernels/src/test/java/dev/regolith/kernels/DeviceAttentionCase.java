package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;

/** An attention for a device to compute, and what it must come to. */
abstract class DeviceAttentionCase {
  static final Compute DEVICE = SessionUnderTest.accelerator();

  /** Right results, for operands that are the same in every test. */
  static final Map<String, int[]> KNOWN = new ConcurrentHashMap<>();

  final Arena arena = Arena.ofShared();
  final AttentionCase c = new AttentionCase(1, 4, 2, 140, 300, 40, 24, new Random(1));
  final Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
  final Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
  final Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
  final Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 140, 24);
  final AttentionOptions options = AttentionOptions.defaults().causal();
  final int[] expected;

  DeviceAttentionCase() {
    expected = KNOWN.computeIfAbsent("scalar", _ -> scalarBits(k, v, 140, out));
  }

  /** What the scalar loop makes of the first queries. */
  final int[] scalarBits(Tensor keys, Tensor values, int queries, Tensor result) {
    return scalarBits(q.slice(2, 0, queries), keys, values, result, options);
  }

  /** What the scalar loop makes of an attention, in the memory of a result. */
  static int[] scalarBits(
      Tensor queries, Tensor keys, Tensor values, Tensor result, AttentionOptions rules) {
    try (var session = Regolith.open(o -> o.compute(Compute.SCALAR).threads(1))) {
      session.attention(queries, keys, values, result, rules);
    }
    return bits(result);
  }

  @AfterEach
  void close() {
    arena.close();
  }

  static int[] bits(Tensor tensor) {
    float[] x = tensor.toArray();
    var bits = new int[x.length];
    Arrays.setAll(bits, i -> Float.floatToIntBits(x[i]));
    return bits;
  }

  static SessionUnderTest open() {
    return open(2);
  }

  static SessionUnderTest open(int threads) {
    return SessionUnderTest.open(o -> o.compute(DEVICE).threads(threads));
  }

  final void assertRight(Session session, Status status) {
    try (var edit = session.edit(out)) {
      edit.segment().fill((byte) -1);
    }
    assertThat(session.attention(q, k, v, out, options)).isEqualTo(status);
    assertThat(bits(out)).isEqualTo(expected);
  }

  /** How often a point was reached by a call. */
  static int count(ProbePoint where, Runnable call) {
    var count = new AtomicInteger();
    Probe.Hook hook =
        (point, memory, offset, rows, rowBytes, stride) -> {
          if (point == where) {
            count.incrementAndGet();
          }
        };
    try (var _ = ProbeRelay.lend(hook)) {
      call.run();
    }
    return count.get();
  }

  final int launches(Session session) {
    return count(ProbePoint.DEVICE_LAUNCH, () -> assertRight(session, Status.CLEAN));
  }

  static void flip(MemorySegment memory, long offset) {
    int word = memory.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
    memory.set(ValueLayout.JAVA_INT_UNALIGNED, offset, word ^ 1 << 20);
  }

  static void write(Path folder, String name, String source) throws IOException {
    Files.writeString(folder.resolve(name), source);
  }
}
