package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Upsets of tensors of 16 bits, of their float32 copies, and of results on their way back. */
@Tag("device")
class HalfFaultTest {
  private static final int M = 40;
  private static final int N = 70;
  private static final int K = 50;

  private final Arena arena = Arena.ofShared();
  private final SplittableRandom random = new SplittableRandom(61);
  private final SessionUnderTest under =
      SessionUnderTest.kept(2, Protection.CORRECT, SessionUnderTest.computing());
  private final Session session = under.session();
  private final Tensor a = halves(DType.BFLOAT16, M, K);
  private final Tensor b = halves(DType.FLOAT16, K, N);
  private final Tensor c = halves(DType.BFLOAT16, M, N);
  private final float[] old = c.toArray();
  private final float[] exact = HalfFormat.BFLOAT16.rounded(Chain.multiply(1, a, b, 0.5f, c));

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor halves(DType type, int rows, int columns) {
    return Tensor.of(arena, type, Operand.gaussian(random, rows * columns), rows, columns);
  }

  /** {@code C = A B + C / 2}, of the same old C each time. */
  private Status multiply(Tensor left, Tensor right) {
    try (var edit = session.edit(c)) {
      for (int i = 0; i < old.length; i++) {
        edit.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, DType.BFLOAT16.round(old[i]));
      }
    }
    under.reports().clear();
    return session.gemm(1, left, right, 0.5f, c);
  }

  private static void flip(Tensor tensor, long element, int bit) {
    MemorySegment memory = tensor.storage().segment();
    short before = memory.getAtIndex(ValueLayout.JAVA_SHORT, element);
    memory.setAtIndex(ValueLayout.JAVA_SHORT, element, (short) (before ^ 1 << bit));
  }

  @ParameterizedTest
  @EnumSource(
      value = ProbePoint.class,
      names = {"HALVES_WIDENED", "HALVES_COPIED", "HALVES_ROUNDED", "A_LAST_USE", "C_CHECKED"})
  void whatIsStruckOnItsWay(ProbePoint point) {
    // A that has no rows where it lies is copied before it is widened.
    Tensor apart = Tensor.zeros(arena, DType.BFLOAT16, M, 2 * K);
    for (int i = 0; i < M * K; i++) {
      apart.storage().segment().setAtIndex(ValueLayout.JAVA_SHORT, 2L * i, bits(a, i));
    }
    Tensor left = apart.strided(0, new long[] {M, K}, new long[] {2 * K, 2});
    var counted = new Upset(point, -1, UpsetKind.BIT_0, random);
    try (var _ = ProbeRelay.lend(counted)) {
      assertThat(multiply(left, b)).isEqualTo(Status.CLEAN);
      assertThat(c.toArray()).isEqualTo(exact);
    }
    int turn = 0;
    for (long occurrence : counted.spread(4)) {
      for (UpsetKind kind : UpsetKind.ofTurn(turn++)) {
        var upset = new Upset(point, occurrence, kind, random);
        Status status;
        try (var _ = ProbeRelay.lend(upset)) {
          status = multiply(left, b);
        }
        assertThat(c.toArray()).as("%s %d %s", point, occurrence, kind).isEqualTo(exact);
        assertThat(session.verify(c))
            .as("%s %d %s", point, occurrence, kind)
            .isEqualTo(Status.CLEAN);
        boolean seen = upset.changed() && point != ProbePoint.A_LAST_USE;
        assertThat(status).isEqualTo(seen ? Status.CORRECTED : status);
        if (seen) {
          assertThat(under.reports())
              .allSatisfy(it -> assertThat(it.resolution()).isEqualTo(Resolution.CORRECTED));
        }
      }
    }
  }

  private static short bits(Tensor tensor, long element) {
    return tensor.storage().segment().getAtIndex(ValueLayout.JAVA_SHORT, element);
  }

  /** The caller's memory, between the first read of a call and the last. */
  @ParameterizedTest
  @EnumSource(names = {"BFLOAT16", "FLOAT16"})
  void whatChangesWhileItIsWidenedIsPutBack(DType type) {
    Tensor left = halves(type, M, K);
    float[] values = left.toArray();
    float[] expected = Chain.multiply(left, b);
    for (boolean sealed : new boolean[] {false, true}) {
      if (sealed) {
        session.seal(left);
      }
      for (int bit = 0; bit < 16; bit++) {
        int element = random.nextInt(M * K);
        int struck = bit;
        var reached = new AtomicInteger();
        Probe.Hook hook =
            (point, _, _, _, _, _) -> {
              if (point == ProbePoint.HALVES_WIDENED && reached.getAndIncrement() == 0) {
                flip(left, element, struck);
              }
            };
        Tensor result = Tensor.zeros(arena, DType.FLOAT32, M, N);
        under.reports().clear();
        Status status;
        try (var _ = ProbeRelay.lend(hook)) {
          status = session.gemm(left, b, result);
        }
        assertThat(result.toArray()).isEqualTo(expected);
        assertThat(left.toArray()).isEqualTo(values);
        assertThat(status).isEqualTo(Status.CORRECTED);
      }
    }
  }

  /** Every reader of a sealed tensor finds what changed, and puts it back. */
  @Test
  void whatChangesAtRest() {
    Tensor weight = Tensor.of(arena, DType.BFLOAT16, Operand.gaussian(random, K), K);
    session.seal(a);
    session.seal(weight);
    float[] ofA = a.toArray();
    float[] ofWeight = weight.toArray();
    var readers = new ArrayList<Callable<Status>>();
    readers.add(() -> session.gemm(a, b, Tensor.zeros(arena, DType.FLOAT16, M, N)));
    readers.add(() -> session.rmsNorm(a, weight, 1e-5f, Tensor.zeros(arena, DType.BFLOAT16, M, K)));
    readers.add(() -> session.softmax(a, Tensor.zeros(arena, DType.FLOAT32, M, K)));
    readers.add(() -> session.verify(a));
    readers.add(() -> {
      Tensor q = a.strided(0, new long[] {1, 4, M / 4, K}, new long[] {M * K, 10 * K, K, 1});
      return session.attention(q, q, q, Tensor.zeros(arena, DType.BFLOAT16, 1, 4, M / 4, K));
    });
    readers.add(() -> {
      try (var cache = session.cache(1, K, K)) {
        Tensor keys = a.strided(0, new long[] {1, 1, M, K}, new long[] {M * K, M * K, K, 1});
        return session.append(cache, keys, keys);
      }
    });
    for (var reader : readers) {
      flip(a, random.nextInt(M * K), random.nextInt(16));
      assertThat(call(reader)).isEqualTo(Status.CORRECTED);
      assertThat(a.toArray()).isEqualTo(ofA);
      assertThat(call(reader)).isEqualTo(Status.CLEAN);
    }
    flip(weight, 7, 3);
    assertThat(call(readers.get(1))).isEqualTo(Status.CORRECTED);
    assertThat(weight.toArray()).isEqualTo(ofWeight);
    flip(a, 11, 3);
    assertThat(packed()).isEqualTo(ofA);
    assertThat(a.toArray()).isEqualTo(ofA);
  }

  private float[] packed() {
    var packed = session.pack(arena, a).packed();
    var values = new float[M * K];
    for (int i = 0; i < values.length; i++) {
      values[i] = packed.get(0, i % K, i / K);
    }
    return values;
  }

  private static Status call(Callable<Status> reader) {
    try {
      return reader.call();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /** Two words of a block: told, and no result that could be taken for one. */
  @Test
  void whatIsBeyondRepair() {
    session.seal(a);
    flip(a, 3, 2);
    flip(a, 17, 9);
    assertThatThrownBy(() -> session.gemm(a, b, c)).isInstanceOf(UncorrectableFaultException.class);
    assertThat(c.toArray()).containsOnly(Float.NaN);
    assertThat(c.isSealed()).isFalse();
    assertThat(under.reports())
        .anySatisfy(it -> assertThat(it.resolution()).isEqualTo(Resolution.UNCORRECTABLE));
  }

  @Test
  void aSessionThatDetectsLeavesThemAlone() {
    var detecting = SessionUnderTest.kept(1, Protection.DETECT, SessionUnderTest.computing());
    Tensor result = Tensor.zeros(arena, DType.BFLOAT16, M, N);
    session.seal(a);
    flip(a, 5, 14);
    float[] damaged = a.toArray();
    assertThat(detecting.session().gemm(a, b, result)).isEqualTo(Status.DETECTED);
    assertThat(a.toArray()).isEqualTo(damaged);
    assertThat(detecting.reports()).isNotEmpty();
  }

  /** What is wrong whenever it is looked at is handed over as NaN. */
  @Test
  void aResultThatCannotBeReproducedIsPoisoned() {
    Probe.Hook hook =
        (point, memory, offset, _, _, _) -> {
          if (point == ProbePoint.C_STORED || point == ProbePoint.C_CHECKED) {
            int bits = memory.get(ValueLayout.JAVA_INT_UNALIGNED, offset);
            memory.set(
                ValueLayout.JAVA_INT_UNALIGNED,
                offset,
                bits + random.nextInt(1, Integer.MAX_VALUE));
          }
        };
    Tensor result = Tensor.zeros(arena, DType.FLOAT16, M, N);
    try (var _ = ProbeRelay.lend(hook)) {
      assertThatThrownBy(() -> session.gemm(a, b, result))
          .isInstanceOf(UncorrectableFaultException.class);
    }
    assertThat(result.toArray()).containsOnly(Float.NaN);
    assertThat(result.isSealed()).isFalse();
  }

  // -------------------------------------------------------------------------------------- seals

  @Test
  void resultsAreSealed() {
    for (long columns : new long[] {1, 2, 7, 64, 129}) {
      Tensor y = Tensor.zeros(arena, DType.BFLOAT16, 3, columns);
      Tensor x = Tensor.of(arena, Operand.gaussian(random, (int) (3 * columns)), 3, columns);
      session.softmax(x, y);
      float[] values = y.toArray();
      assertThat(y.isSealed()).isTrue();
      assertThat(y.segment().isReadOnly()).isTrue();
      for (long element : new long[] {0, 3 * columns - 1, random.nextLong(3 * columns)}) {
        flip(y, element, random.nextInt(16));
        assertThat(session.verify(y)).isEqualTo(Status.CORRECTED);
        assertThat(y.toArray()).isEqualTo(values);
      }
      try (var edit = session.edit(y)) {
        edit.segment().setAtIndex(ValueLayout.JAVA_SHORT, 0, (short) 0x3f80);
      }
      assertThat(session.verify(y)).isEqualTo(Status.CLEAN);
      flip(y, 0, 4);
      assertThat(session.verify(y)).isEqualTo(Status.CORRECTED);
      assertThat(y.get(0, 0)).isEqualTo(1);
      session.unseal(y);
      assertThat(y.isSealed()).isFalse();
    }
  }

  /** Parts of a sealed tensor may be written, wherever they begin and end. */
  @Test
  void partsOfASealedTensor() {
    Tensor whole = Tensor.of(arena, DType.FLOAT16, Operand.gaussian(random, 15 * 31), 15, 31);
    session.seal(whole);
    for (int round = 0; round < 40; round++) {
      long top = random.nextLong(14);
      long left = random.nextLong(30);
      Tensor part =
          whole
              .slice(0, top, random.nextLong(top + 1, 16))
              .slice(1, left, random.nextLong(left + 1, 32));
      int size = (int) part.elements();
      Tensor x = Tensor.of(arena, Operand.gaussian(random, size), part.shape());
      float[] before = whole.toArray();
      Tensor copy = Tensor.of(arena, before, 15, 31);
      session.add(x, Tensor.zeros(arena, DType.FLOAT32, part.shape()), part);
      assertThat(part.toArray()).isEqualTo(HalfFormat.FLOAT16.rounded(x.toArray()));
      assertThat(session.verify(whole)).isEqualTo(Status.CLEAN);
      assertThat(whole.isSealed()).isTrue();
      float[] expected = merged(copy, part, top, left);
      flip(whole, random.nextInt(15 * 31), random.nextInt(16));
      assertThat(session.verify(whole)).isEqualTo(Status.CORRECTED);
      assertThat(whole.toArray()).isEqualTo(expected);
    }
  }

  private static float[] merged(Tensor copy, Tensor part, long top, long left) {
    float[] values = copy.toArray();
    float[] written = part.toArray();
    for (int i = 0; i < written.length; i++) {
      long row = top + i / part.size(1);
      values[(int) (row * 31 + left + i % part.size(1))] = written[i];
    }
    return values;
  }

  /** Two threads whose results meet within a word. */
  @Test
  void neighboursWithinAWord() throws Exception {
    for (int columns : new int[] {7, 33}) {
      Tensor whole = Tensor.zeros(arena, DType.BFLOAT16, 6, 2L * columns);
      session.seal(whole);
      Tensor zero = Tensor.zeros(arena, DType.FLOAT32, 6, columns);
      try (var pool = Executors.newFixedThreadPool(2)) {
        var tasks = new ArrayList<Callable<Status>>();
        for (int side = 0; side < 2; side++) {
          Tensor part = whole.slice(1, (long) side * columns, (side + 1L) * columns);
          Tensor[] values = {integers(6, columns, side + 1), integers(6, columns, side + 5)};
          tasks.add(() -> {
            for (int i = 0; i < 500; i++) {
              session.add(values[i % 2], zero, part);
              assertThat(part.toArray()).isEqualTo(values[i % 2].toArray());
            }
            return Status.CLEAN;
          });
        }
        for (var task : pool.invokeAll(tasks)) {
          assertThat(task.get()).isEqualTo(Status.CLEAN);
        }
      }
      assertThat(session.verify(whole)).isEqualTo(Status.CLEAN);
      assertThat(whole.isSealed()).isTrue();
    }
  }

  private Tensor integers(int rows, int columns, int first) {
    var values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = first + i % 16;
    }
    return Tensor.of(arena, values, rows, columns);
  }

  /** Views that end where their memory does are not alone in their last word for that. */
  @Test
  void wordsThatAreFilled() {
    Tensor even = Tensor.zeros(arena, DType.BFLOAT16, 8);
    Tensor odd = Tensor.zeros(arena, DType.BFLOAT16, 7);
    assertThat(even.fillsWords()).isTrue();
    assertThat(odd.fillsWords()).isTrue();
    assertThat(even.slice(0, 0, 7).fillsWords()).isFalse();
    assertThat(even.slice(0, 1, 8).fillsWords()).isFalse();
    assertThat(even.slice(0, 6, 7).fillsWords()).isFalse();
    assertThat(even.slice(0, 7, 8).fillsWords()).isFalse();
    assertThat(even.slice(0, 2, 6).fillsWords()).isTrue();
    assertThat(odd.slice(0, 6, 7).fillsWords()).isTrue();
    assertThat(odd.slice(0, 5, 7).fillsWords()).isFalse();
    assertThat(odd.slice(0, 0, 6).fillsWords()).isTrue();
    assertThat(Tensor.zeros(arena, DType.FLOAT16, 4, 3).slice(0, 3, 4).fillsWords()).isFalse();
    assertThat(Tensor.zeros(arena, DType.FLOAT16, 3, 3).slice(0, 1, 2).fillsWords()).isFalse();
    assertThat(Tensor.zeros(arena, DType.FLOAT16, 3, 3).slice(0, 2, 3).fillsWords()).isTrue();
    assertThat(Tensor.zeros(arena, DType.FLOAT16, 3, 3).fillsWords()).isTrue();
    assertThatThrownBy(() -> odd.strided(0, new long[] {8}, new long[] {1}))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  /** A reader and a writer whose elements meet within a word, or lie between each other's rows. */
  @Test
  void readersBesideWriters() throws Exception {
    Tensor whole = Tensor.of(arena, DType.BFLOAT16, Operand.gaussian(random, 16 * 33), 16, 33);
    Tensor left = whole.slice(1, 0, 17);
    Tensor right = whole.slice(1, 17, 33);
    float[] values = left.toArray();
    Tensor source =
        Tensor.of(arena, HalfFormat.BFLOAT16.rounded(Operand.gaussian(random, 256)), 16, 16);
    Tensor zero = Tensor.zeros(arena, DType.FLOAT32, 16, 16);
    Tensor zeros = Tensor.zeros(arena, DType.FLOAT32, 16, 17);
    try (var pool = Executors.newFixedThreadPool(2)) {
      var tasks = new ArrayList<Callable<Status>>();
      tasks.add(() -> {
        for (int i = 0; i < 400; i++) {
          assertThat(session.add(source, zero, right)).isEqualTo(Status.CLEAN);
          assertThat(right.toArray()).isEqualTo(source.toArray());
        }
        return Status.CLEAN;
      });
      tasks.add(() -> {
        Tensor read = Tensor.zeros(arena, DType.FLOAT32, 16, 17);
        for (int i = 0; i < 400; i++) {
          assertThat(session.add(left, zeros, read)).isEqualTo(Status.CLEAN);
          assertThat(read.toArray()).isEqualTo(values);
        }
        return Status.CLEAN;
      });
      for (var task : pool.invokeAll(tasks)) {
        assertThat(task.get()).isEqualTo(Status.CLEAN);
      }
    }
  }

  /** Beside a result that does not fill words, while it is stored: seals around it still see it. */
  @Test
  void whatChangesBesideAResult() {
    Tensor whole = Tensor.of(arena, DType.BFLOAT16, Operand.gaussian(random, 16 * 33), 16, 33);
    session.seal(whole);
    Tensor part = whole.slice(1, 0, 17);
    Tensor x = Tensor.of(arena, Operand.gaussian(random, 16 * 17), 16, 17);
    Tensor zeros = Tensor.zeros(arena, DType.FLOAT32, 16, 17);
    for (int beside : new int[] {17, 20, 5 * 33 + 17, 15 * 33 + 32}) {
      float kept = whole.get(beside / 33, beside % 33);
      var reached = new AtomicInteger();
      Probe.Hook hook =
          (point, _, _, _, _, _) -> {
            if (point == ProbePoint.HALVES_ROUNDED && reached.getAndIncrement() == 0) {
              flip(whole, beside, 11);
            }
          };
      try (var _ = ProbeRelay.lend(hook)) {
        session.add(x, zeros, part);
      }
      assertThat(reached).hasPositiveValue();
      assertThat(session.verify(whole)).isEqualTo(Status.CORRECTED);
      assertThat(whole.get(beside / 33, beside % 33)).isEqualTo(kept);
      assertThat(part.toArray()).isEqualTo(HalfFormat.BFLOAT16.rounded(x.toArray()));
    }
  }

  /** Results in memory that has no words for them keep the seals beside them right. */
  @Test
  void resultsThatAreNotInWords() {
    MemorySegment memory = arena.allocate(10, 4);
    Tensor whole = Tensor.wrap(memory, DType.BFLOAT16, 5);
    Tensor sealed = whole.slice(0, 0, 4);
    session.seal(sealed);
    Tensor x = Tensor.of(arena, new float[] {1, 2, 7, 4, 5}, 5);
    assertThat(session.add(x, Tensor.zeros(arena, DType.FLOAT32, 5), whole))
        .isEqualTo(Status.CLEAN);
    assertThat(session.verify(sealed)).isEqualTo(Status.CLEAN);
    assertThat(whole.toArray()).containsExactly(1, 2, 7, 4, 5);
    flip(whole, 2, 9);
    assertThat(session.verify(sealed)).isEqualTo(Status.CORRECTED);
    assertThat(whole.toArray()).containsExactly(1, 2, 7, 4, 5);
  }

  /** Old values beyond repair do not keep new ones from being written. */
  @Test
  void aDamagedOldResultIsOverwritten() {
    Tensor x = Tensor.of(arena, Operand.gaussian(random, 15), 3, 5);
    Tensor y = Tensor.zeros(arena, DType.BFLOAT16, 3, 5);
    session.softmax(x, y);
    float[] values = y.toArray();
    flip(y, 0, 3);
    flip(y, 7, 9);
    assertThat(session.softmax(x, y)).isEqualTo(Status.CLEAN);
    assertThat(y.toArray()).isEqualTo(values);
    assertThat(y.isSealed()).isTrue();
  }

  /** Sealed, then damaged, in memory that nobody may write: read as it was, every time. */
  @Test
  void readOnlyMemory() {
    MemorySegment memory = arena.allocate(2L * M * K, 64);
    MemorySegment.copy(a.storage().segment(), 0, memory, 0, memory.byteSize());
    Tensor mapped = Tensor.wrap(memory.asReadOnly(), DType.BFLOAT16, M, K);
    session.seal(mapped);
    float[] expected = Chain.multiply(a, b);
    Tensor result = Tensor.zeros(arena, DType.FLOAT32, M, N);
    assertThat(session.gemm(mapped, b, result)).isEqualTo(Status.CLEAN);
    memory.setAtIndex(ValueLayout.JAVA_SHORT, 77, (short) (bits(a, 77) ^ 1 << 13));
    for (int i = 0; i < 2; i++) {
      assertThat(session.gemm(mapped, b, result)).isEqualTo(Status.CORRECTED);
      assertThat(result.toArray()).isEqualTo(expected);
    }
  }

  @Test
  void whatLiesAcrossWordsIsNotSealed() {
    MemorySegment memory = arena.allocate(64, 64);
    for (Tensor tensor :
        new Tensor[] {
          Tensor.wrap(MemorySegment.ofArray(new short[8]), DType.FLOAT16, 8),
          Tensor.wrap(memory.asSlice(2), DType.FLOAT16, 8),
          Tensor.wrap(memory.asSlice(0, 6), DType.FLOAT16, 3),
          Tensor.wrap(memory.asSlice(0, 8), DType.FLOAT16, 3),
          Tensor.zeros(arena, DType.FLOAT16, 8).slice(0, 0, 3)
        }) {
      assertThatThrownBy(() -> session.seal(tensor))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("words of 32 bits");
    }
    session.seal(Tensor.wrap(memory.asSlice(4, 8), DType.FLOAT16, 4));
    assertThatThrownBy(() -> session.seal(Tensor.zeros(arena, DType.INT8, 4)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("INT8");
  }

  @Test
  void callsAreReportedOnce() {
    under.calls().clear();
    session.gemm(a, b, c);
    assertThat(under.calls())
        .singleElement()
        .satisfies(call -> assertThat(call.status()).isEqualTo(Status.CLEAN));
    under.calls().clear();
    under.reports().clear();
    try (var _ =
        ProbeRelay.lend(new Upset(ProbePoint.HALVES_ROUNDED, 0, UpsetKind.BIT_11, random))) {
      session.gemm(a, b, c);
    }
    assertThat(under.calls())
        .singleElement()
        .satisfies(call -> assertThat(call.status()).isEqualTo(Status.CORRECTED));
    assertThat(under.report().findings())
        .singleElement()
        .satisfies(it -> assertThat(it.component()).isEqualTo(Component.HALVES));
  }
}
