package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Operators on tensors of 16 bits: what they compute is what they compute in float32 of the widened
 * operands, rounded once, wherever the tensors lie and whatever their strides.
 */
@Tag("device")
class HalfOperandsTest {
  private final SplittableRandom random = new SplittableRandom(1616);
  private final Arena arena = Arena.ofShared();
  private final TestTensors tensors = new TestTensors(arena);

  @AfterEach
  void close() {
    arena.close();
  }

  private static Session session(Protection protection) {
    return SessionUnderTest.kept(2, protection, SessionUnderTest.computing()).session();
  }

  private DType anyType() {
    DType[] types = {DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16};
    return types[random.nextInt(types.length)];
  }

  private int upTo(int most) {
    return 1 + random.nextInt(most);
  }

  /** Where a tensor's elements are, gaps, order and kind of memory. */
  private Tensor somewhere(DType type, long... shape) {
    int rank = shape.length;
    var strides = new long[rank];
    long stride = random.nextInt(3) == 0 ? 2 : 1;
    boolean turned = rank >= 2 && random.nextBoolean();
    for (int i = rank - 1; i >= 0; i--) {
      int d = turned && i >= rank - 2 ? 2 * rank - 3 - i : i;
      strides[d] = stride;
      stride = stride * shape[d] + random.nextInt(3);
    }
    long offset = random.nextInt(4);
    long elements = offset + stride + 1;
    Tensor whole =
        switch (random.nextInt(4)) {
          case 0 ->
              type.isHalf()
                  ? Tensor.wrap(MemorySegment.ofArray(new short[(int) elements]), type, elements)
                  : Tensor.wrap(new float[(int) elements], elements);
          case 1 ->
              Tensor.wrap(
                  arena.allocate(type.bytes() * (elements + 1), 64).asSlice(type.bytes()),
                  type,
                  elements);
          default -> Tensor.zeros(arena, type, elements);
        };
    return whole.strided(offset, shape, strides);
  }

  /** Writes values, rounded to the tensor's type; what they are now. */
  private static float[] fill(Tensor tensor, float[] values) {
    var index = new long[tensor.rank()];
    MemorySegment memory = tensor.storage().segment();
    for (float value : values) {
      long at = tensor.offset();
      for (int d = 0; d < index.length; d++) {
        at += index[d] * tensor.stride(d);
      }
      if (tensor.dtype() == DType.FLOAT32) {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, value);
      } else {
        short bits = HalfFormat.valueOf(tensor.dtype().name()).nearest(value);
        memory.setAtIndex(ValueLayout.JAVA_SHORT, at, bits);
      }
      for (int d = index.length - 1; d >= 0 && ++index[d] == tensor.size(d); d--) {
        index[d] = 0;
      }
    }
    return tensor.toArray();
  }

  private Tensor filled(DType type, long... shape) {
    Tensor tensor = somewhere(type, shape);
    fill(tensor, Operand.gaussian(random, (int) tensor.elements()));
    return tensor;
  }

  /** The same numbers in float32, row-major. */
  private Tensor widened(Tensor tensor) {
    return Tensor.of(arena, tensor.toArray(), tensor.shape());
  }

  private static float[] rounded(DType type, float[] values) {
    return type == DType.FLOAT32 ? values : HalfFormat.valueOf(type.name()).rounded(values);
  }

  /** Halves beside those of a tensor, which nobody may touch. */
  private static short[] halvesOf(Tensor tensor) {
    return tensor.storage().segment().toArray(ValueLayout.JAVA_SHORT);
  }

  @ParameterizedTest
  @EnumSource
  void products(Protection protection) {
    Session session = session(protection);
    for (int round = 0; round < 60; round++) {
      int m = upTo(round % 10 == 0 ? 70 : 12);
      int n = upTo(round % 7 == 0 ? 300 : 40);
      int k = upTo(round % 9 == 0 ? 600 : 50);
      Tensor a = filled(anyType(), m, k);
      Tensor b = filled(anyType(), k, n);
      Tensor c = filled(anyType(), m, n);
      float alpha = random.nextInt(3) == 0 ? -0.5f : 1;
      float beta = random.nextInt(3) == 0 ? 0.75f : 0;
      float[] exact = Chain.multiply(alpha, a, b, beta, c);
      assertThat(session.gemm(alpha, a, b, beta, c)).isEqualTo(Status.CLEAN);
      assertThat(c.toArray())
          .as("%d: %s %s %s %s %s", round, alpha, a, b, beta, c)
          .isEqualTo(rounded(c.dtype(), exact));
      // Again, in the buffers that are there by now.
      session.unseal(c);
      fill(c, Operand.gaussian(random, m * n));
      float[] other = Chain.multiply(1, a, b, 2, c);
      assertThat(session.gemm(1, a, b, 2, c)).isEqualTo(Status.CLEAN);
      assertThat(c.toArray()).isEqualTo(rounded(c.dtype(), other));
    }
  }

  @Test
  void productsWithPackedWeightsAndInBatches() {
    Session session = session(Protection.CORRECT);
    for (int round = 0; round < 12; round++) {
      int m = upTo(9);
      int n = upTo(150);
      int k = upTo(80);
      Tensor weights = filled(anyType(), n, k);
      Tensor x = filled(anyType(), m, k);
      Tensor y = somewhere(anyType(), m, n);
      float[] exact = Chain.multiply(widened(x), widened(weights.transposed()));
      session.gemm(x, session.pack(arena, weights).transposed(), y);
      assertThat(y.toArray()).isEqualTo(rounded(y.dtype(), exact));
      Tensor a = filled(anyType(), 3, m, k);
      Tensor b = filled(anyType(), 3, k, n);
      Tensor c = somewhere(anyType(), 3, m, n);
      session.gemm(a, b, c);
      for (int i = 0; i < 3; i++) {
        Tensor one = Tensor.of(arena, a.slice(0, i, i + 1).toArray(), m, k);
        Tensor other = Tensor.of(arena, b.slice(0, i, i + 1).toArray(), k, n);
        assertThat(c.slice(0, i, i + 1).toArray())
            .isEqualTo(rounded(c.dtype(), Chain.multiply(one, other)));
      }
    }
  }

  /** What alpha and beta of 0 do not read is not read in 16 bits either. */
  @Test
  void factorsOfZero() {
    Session session = session(Protection.CORRECT);
    Tensor a = Tensor.of(arena, DType.FLOAT16, new float[] {Float.NaN, 1}, 1, 2);
    Tensor c = Tensor.of(arena, DType.BFLOAT16, new float[] {3}, 1, 1);
    session.gemm(0, a, a.transposed(), 2, c);
    assertThat(c.toArray()).containsExactly(6);
    Tensor b = Tensor.of(arena, DType.FLOAT16, new float[] {1, 2}, 1, 2);
    Tensor nan = Tensor.of(arena, DType.BFLOAT16, new float[] {Float.NaN}, 1, 1);
    session.gemm(1, b, b.transposed(), 0, nan);
    assertThat(nan.toArray()).containsExactly(5);
  }

  @Test
  void nothingToMultiply() {
    Session session = session(Protection.CORRECT);
    Tensor c = Tensor.of(arena, DType.FLOAT16, new float[] {1, 2, 3, 4}, 2, 2);
    Tensor left = Tensor.zeros(arena, DType.BFLOAT16, 2, 0);
    Tensor right = Tensor.zeros(arena, DType.BFLOAT16, 0, 2);
    assertThat(session.gemm(1, left, right, 0.5f, c)).isEqualTo(Status.CLEAN);
    assertThat(c.toArray()).containsExactly(0.5f, 1, 1.5f, 2);
    session.gemm(left, right, c);
    assertThat(c.toArray()).containsOnly(0);
    Tensor none = Tensor.zeros(arena, DType.BFLOAT16, 0, 3);
    assertThat(session.gemm(none, Tensor.zeros(arena, DType.FLOAT16, 3, 2), none.slice(1, 0, 2)))
        .isEqualTo(Status.CLEAN);
    assertThat(session.softmax(none, none)).isEqualTo(Status.CLEAN);
  }

  @Test
  void nothingBesideAResultIsTouched() {
    Session session = session(Protection.CORRECT);
    for (int round = 0; round < 40; round++) {
      int m = upTo(6);
      int n = upTo(9);
      Tensor whole = Tensor.zeros(arena, DType.BFLOAT16, 200);
      for (int i = 0; i < 200; i++) {
        whole.storage().segment().setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (i + 1));
      }
      if (round % 2 == 0) {
        session.seal(whole);
      }
      long gap = random.nextInt(3);
      Tensor c = whole.strided(random.nextInt(5), new long[] {m, n}, new long[] {n + gap, 1});
      short[] before = halvesOf(c);
      Tensor x = filled(DType.BFLOAT16, m, 1);
      Tensor w = filled(DType.BFLOAT16, 1, n);
      session.gemm(x, w, c);
      short[] after = halvesOf(c);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          int at = (int) (c.offset() + i * (n + gap) + j);
          before[at] = HalfFormat.BFLOAT16.nearest(x.get(i, 0) * w.get(0, j));
        }
      }
      assertThat(after).as("%s", c).isEqualTo(before);
      assertThat(session.verify(whole)).isEqualTo(Status.CLEAN);
      assertThat(c.isSealed()).isEqualTo(round % 2 == 0 || c.fillsWords());
    }
  }

  @ParameterizedTest
  @EnumSource
  void rows(RowVariant variant) {
    Session session = session(Protection.CORRECT);
    for (int round = 0; round < 6; round++) {
      int columns = 8 + random.nextInt(90);
      long[] shape =
          variant == RowVariant.ROPE_OF_HEADS
              ? new long[] {2, upTo(4), 3, columns}
              : new long[] {upTo(4), upTo(20), columns};
      boolean turns = variant.isRope();
      long[] vector = turns ? new long[] {40, RowVariant.pairs(columns)} : new long[] {columns};
      Tensor x = filled(anyType(), shape);
      Tensor y = filled(anyType(), shape);
      Tensor weight = filled(anyType(), vector);
      Tensor bias = filled(anyType(), vector);
      Tensor sum = somewhere(anyType(), shape);
      Tensor out = somewhere(anyType(), shape);
      if (!folds(x, y, sum, out)) {
        continue;
      }
      var wide =
          new RowVariant.Tensors(
              widened(x),
              widened(y),
              widened(weight),
              widened(bias),
              tensors.empty(shape),
              tensors.empty(shape));
      variant.call(session, wide);
      assertThat(variant.call(session, new RowVariant.Tensors(x, y, weight, bias, sum, out)))
          .isEqualTo(Status.CLEAN);
      assertThat(out.toArray()).isEqualTo(rounded(out.dtype(), wide.out().toArray()));
      if (variant.writesSum()) {
        assertThat(sum.toArray()).isEqualTo(rounded(sum.dtype(), wide.sum().toArray()));
      }
    }
  }

  private static boolean folds(Tensor... all) {
    boolean fold = true;
    for (Tensor each : all) {
      fold &= each.folds();
    }
    return fold;
  }

  /** In place; what is written is not read again. */
  @Test
  void rowsInPlace() {
    Session session = session(Protection.CORRECT);
    Tensor x = filled(DType.BFLOAT16, 5, 33);
    Tensor weight = filled(DType.BFLOAT16, 33);
    Tensor residual = filled(DType.FLOAT16, 5, 33);
    Tensor wideSum = tensors.empty(5, 33);
    Tensor wideOut = tensors.empty(5, 33);
    session.rmsNorm(widened(x), widened(residual), widened(weight), 1e-5f, wideSum, wideOut);
    Tensor out = somewhere(DType.BFLOAT16, 5, 33);
    session.rmsNorm(x, residual, weight, 1e-5f, x, out);
    assertThat(x.toArray()).isEqualTo(HalfFormat.BFLOAT16.rounded(wideSum.toArray()));
    assertThat(out.toArray()).isEqualTo(HalfFormat.BFLOAT16.rounded(wideOut.toArray()));
  }

  @Test
  void attention() {
    for (var protection : Protection.values()) {
      Session session = session(protection);
      for (int round = 0; round < 8; round++) {
        int kvHeads = upTo(2);
        int heads = kvHeads * upTo(3);
        int queries = upTo(20);
        int keys = upTo(150);
        int depth = upTo(40);
        int columns = upTo(40);
        Tensor q = filled(anyType(), 2, heads, queries, depth);
        Tensor k = filled(anyType(), 2, kvHeads, keys, depth);
        Tensor v = filled(anyType(), 2, kvHeads, keys, columns);
        Tensor out = Tensor.zeros(arena, anyType(), 2, heads, queries, columns);
        var options = AttentionOptions.defaults();
        Tensor wide = tensors.empty(2, heads, queries, columns);
        session.attention(widened(q), widened(k), widened(v), wide, options);
        Tensor lse = tensors.empty(2, heads, queries);
        assertThat(session.attention(q, k, v, out, options.logSumExp(lse))).isEqualTo(Status.CLEAN);
        assertThat(out.toArray()).isEqualTo(rounded(out.dtype(), wide.toArray()));
      }
    }
  }

  @Test
  void attentionOverACache() {
    Session session = session(Protection.CORRECT);
    try (var halves = session.cache(2, 24, 16);
        var floats = session.cache(2, 24, 16)) {
      for (int step = 0; step < 3; step++) {
        Tensor k = filled(DType.BFLOAT16, 1, 2, 70, 24);
        Tensor v = filled(DType.FLOAT16, 1, 2, 70, 16);
        assertThat(session.append(halves, k, v)).isEqualTo(Status.CLEAN);
        session.append(floats, widened(k), widened(v));
      }
      Tensor q = filled(DType.BFLOAT16, 1, 4, 3, 24);
      Tensor out = somewhere(DType.BFLOAT16, 1, 4, 3, 16);
      Tensor wide = tensors.empty(1, 4, 3, 16);
      var options = AttentionOptions.defaults().causal(AttentionOptions.Alignment.BOTTOM_RIGHT);
      session.attention(widened(q), List.of(floats), wide, options);
      session.attention(q, List.of(halves), out, options);
      assertThat(out.toArray()).isEqualTo(HalfFormat.BFLOAT16.rounded(wide.toArray()));
    }
  }

  /** A NaN of any payload, into every kind of memory: it stays one, and is no fault. */
  @Test
  void anyNanIsNan() {
    Session session = session(Protection.CORRECT);
    for (int round = 0; round < 30; round++) {
      int n = 40;
      Tensor x = somewhere(DType.FLOAT32, 3, n);
      fill(x, Operand.gaussian(random, 3 * n));
      long at = x.offset() + x.stride(0) + 7 * x.stride(1);
      int nan = 0x7f800001 + random.nextInt(0x7fffff) | random.nextInt(2) << 31;
      x.storage().segment().setAtIndex(ValueLayout.JAVA_INT, at, nan);
      Tensor y = somewhere(round % 2 == 0 ? DType.FLOAT16 : DType.BFLOAT16, 3, n);
      Tensor zero = tensors.empty(3, n);
      assertThat(session.add(x, zero, y)).as("%s", y).isEqualTo(Status.CLEAN);
      Tensor again = somewhere(DType.FLOAT16, 3, n);
      assertThat(session.add(y, zero, again)).isEqualTo(Status.CLEAN);
      assertThat(y.get(1, 7)).isNaN();
      assertThat(again.get(1, 7)).isNaN();
      assertThat(y.get(0, 7)).isFinite();
    }
  }

  /** What stays with a device, and what passes through the same buffers as an operand does. */
  @ParameterizedTest
  @EnumSource
  void besideTensorsThatStayElsewhere(Protection protection) {
    Session session = session(protection);
    var under = SessionUnderTest.kept(2, protection, SessionUnderTest.computing());
    under.reports().clear();
    for (int round = 0; round < 4; round++) {
      Tensor x = tensors.random(round, 6, 32);
      session.upload(x);
      Tensor weight = filled(DType.BFLOAT16, 32);
      Tensor h = tensors.empty(6, 32);
      Tensor expected = tensors.empty(6, 32);
      session.rmsNorm(x, weight, 1e-5f, h);
      session.rmsNorm(widened(x), widened(weight), 1e-5f, expected);
      assertThat(h.toArray()).isEqualTo(expected.toArray());
      Tensor b = tensors.random(round + 50, 32, 32);
      Tensor c = Tensor.zeros(arena, DType.BFLOAT16, 6, 32);
      session.upload(x);
      session.gemm(x, b, c);
      assertThat(c.toArray()).isEqualTo(rounded(c.dtype(), Chain.multiply(x, b)));
      Tensor a = filled(DType.BFLOAT16, 6, 32);
      session.gemm(a, b, h);
      assertThat(h.toArray()).isEqualTo(Chain.multiply(widened(a), b));
    }
    assertThat(under.reports()).isEmpty();
  }

  /** What lies in the same memory is refused, whatever its type is. */
  @Test
  void sharedMemoryIsRefused() {
    Session session = session(Protection.CORRECT);
    MemorySegment memory = arena.allocate(64, 64);
    Tensor a = Tensor.wrap(memory, DType.BFLOAT16, 2, 2);
    Tensor b = Tensor.of(arena, DType.BFLOAT16, new float[4], 2, 2);
    Tensor beside = Tensor.wrap(memory.asSlice(8), DType.BFLOAT16, 2, 2);
    Tensor across = Tensor.wrap(memory.asSlice(6), DType.BFLOAT16, 2, 2);
    Tensor wider = Tensor.wrap(memory.asSlice(4), DType.FLOAT32, 2, 2);
    session.gemm(a, b, beside);
    for (Tensor c : new Tensor[] {across, wider}) {
      assertThatThrownBy(() -> session.gemm(a, b, c))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("shares elements");
    }
    for (var type : new DType[] {DType.INT8, DType.INT32, DType.BOOL}) {
      assertThatThrownBy(() -> session.gemm(a, b, Tensor.zeros(arena, type, 2, 2)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("FLOAT32, BFLOAT16 and FLOAT16");
    }
  }
}
